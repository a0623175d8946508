"""Compute the sites of one chunk with an engine; what is finished is kept, what fails is recorded.

Where processes are killed with all that they started: on Linux always; elsewhere a program's children in sessions of
their own would be missed (see `guard`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from pymatgen.core import Structure

from xanesflow.errors import XanesflowError
from xanesflow.provenance import versions
from xanesflow.reasons import REASONS
from xanesflow.simulations.chunks import ChunkWriter, Run
from xanesflow.simulations.engine import Engine, FailedRunError
from xanesflow.simulations.expected import expected_seconds
from xanesflow.simulations.kept import KeptRuns, run_site
from xanesflow.simulations.layout import poscar_path
from xanesflow.simulations.process import Ended, StoppedError, run_command
from xanesflow.sites import Site, Subset, site_id
from xanesflow.walltime import Limit

log = logging.getLogger(__name__)

TAIL = 10
"""Lines of a failed run's log that its run.json holds."""

LOG_LIMIT = 4 * 2**20
"""Bytes of a log that are kept, the last ones."""

_FORM = 1  # a part of the hash: another one makes all runs be computed again
_LINE = 300  # characters of a line that run.json holds
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_MEMORY = ("MemoryError", "Cannot allocate memory")
_SIGNAL_SPREADS = 1.0  # seconds
_SIGNAL = 128  # exit codes above it
_SIGKILL, _SIGXFSZ = _SIGNAL + 9, _SIGNAL + 25
_FROM_OUTSIDE = {_SIGNAL + 1, _SIGNAL + 2, _SIGKILL, _SIGNAL + 15}


def simulate_chunk(
    structures: Path,
    site_table: Path,
    output: Path,
    kept: Path,
    *,
    subset: str,
    chunk: int,
    engine: Engine,
    workers: int = 1,
    scratch: Path | None = None,
) -> None:
    """Compute all sites of a chunk whose runs are not kept yet, and pack all of them.

    The same runs give the same bytes; a run's own run.json tells time and machine, so it differs when it is computed
    again.

    Args:
        structures: Parquet of the subset's structures.
        site_table: Parquet of its sites.
        output: zip to write.
        kept: folder of the subset's finished runs (see `kept`).
        subset: such as `Cu_FEFF8L`.
        chunk: its number.
        engine: computes a site.
        workers: sites that are computed at a time.
        scratch: folder for the sites' own folders; None: the system's, $TMPDIR.

    Raises:
        XanesflowError: the engine cannot be run at all, a disk is full, or the time of the cluster job that this runs
            in is nearly over; what is finished is kept.
    """
    table = pd.read_parquet(site_table).sort_values(["material_id", "site_index"])
    columns = table[["material_id", "site_index", "chunk"]].itertuples(index=False, name=None)
    chunk_of_site: dict[Site, int] = {(str(m), int(i)): int(number) for m, i, number in columns}
    sites = [site for site, number in chunk_of_site.items() if number == chunk]
    as_json = _read_structures(structures, {material_id for material_id, _ in sites})
    settings = engine.settings()
    hashes = {site: input_hash(as_json[site[0]], site[1], engine.theory, settings) for site in sites}
    keeper = KeptRuns(kept, Subset.parse(subset), chunk)
    job = _Job(
        engine, settings, f"{subset} chunk {chunk}", scratch or Path(tempfile.gettempdir()), kept.resolve(),
        expected_seconds(table),
    )  # fmt: skip
    with _full_disk_told(job.label):
        places = keeper.find(hashes)
        counts = Counter(before=len(places))
        job.clear()
        waiting = [(site, as_json[site[0]], hashes[site]) for site in sites if site not in places]
        for run in job.compute(waiting, workers, already=len(places), put=keeper.put):
            places[run_site(run)] = keeper.singles / f"{site_id(*run_site(run))}.zip"
            counts["computed"] += 1
        failed: Counter[str] = Counter()
        with ChunkWriter([output]) as writer:
            runs = keeper.read({site: places[site] for site in sites})
            for material_id, group in groupby(runs, key=lambda run: run.material_id):
                structure = Structure.from_dict(json.loads(as_json[material_id]))
                path = poscar_path(keeper.subset.element, material_id)
                writer.add(0, path, structure.to(fmt="poscar").encode())
                for run in group:
                    keeper.write(writer, run)
                    if run.record["outcome"] == "failed":
                        failed[run.record["reason"]] += 1
                        counts["computed" if run_site(run) in job.done else "before"] -= 1
        keeper.settle(output, chunk_of_site)
    reasons = ", ".join(f"{failed[reason]} {reason}" for reason in REASONS if failed[reason])
    log.info(
        "%s: %d sites: %d computed, %d kept from before, %d failed%s",
        job.label, len(sites), counts["computed"], counts["before"], failed.total(), reasons and f" ({reasons})",
    )  # fmt: skip


def input_hash(structure: str, site_index: int, theory: str, settings: Mapping[str, Any]) -> str:
    """SHA-256 of all that a run depends on.

    Args:
        structure: pymatgen's JSON.
        site_index: of the absorber.
        theory: level of theory.
        settings: what `Engine.settings` gives.
    """
    whole = {"form": _FORM, "structure": structure, "site": site_index, "theory": theory, "settings": settings}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclass
class _Job:
    """Runs the engine on sites, each in a scratch folder of its own."""

    engine: Engine
    settings: dict[str, Any]
    label: str
    scratch: Path
    owner: Path
    expected: Mapping[Site, float]
    done: set[Site] = field(default_factory=set)
    limit: Limit = field(default_factory=Limit.of_this_job)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def prefix(self) -> str:
        """Of this job's scratch folders; no other job on this machine has it."""
        return f"xanesflow-{hashlib.sha256(f'{self.owner} {self.label}'.encode()).hexdigest()[:12]}-"

    def clear(self) -> None:
        """Remove the scratch folders that a killed process of this job left."""
        for folder in self.scratch.glob(f"{self.prefix}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def compute(
        self, waiting: list[tuple[Site, str, str]], workers: int, *, already: int, put: Callable[[Run], Path]
    ) -> Iterator[Run]:
        """Compute sites, `workers` at a time; give each as soon as it is kept.

        Raises:
            XanesflowError: some were left, as the job's time is nearly over or as it was asked to end.
        """
        number, total = already, already + len(waiting)

        def one(site: Site, structure: str, digest: str) -> Run | None:
            expected = self.expected.get(site, 1.0)
            if not self.limit.may_start(expected, workers):
                return None
            try:
                run = self._run(site, structure, digest)
            except StoppedError:  # by the limit; it says nothing about the site
                return None
            put(run)
            self.limit.learn(run.record["seconds"], expected)
            return run

        with self.limit.watched(self._stop), ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(one, *each) for each in waiting]
            try:
                for future in as_completed(futures):
                    run = future.result()
                    if run is None:
                        continue
                    number += 1
                    self.done.add(run_site(run))
                    told = f"{run.record['seconds']:.1f} s"
                    if run.record["outcome"] == "failed":
                        told = f"failed ({run.record['reason']}): {run.record['detail']}"
                    log.info("%s: %d/%d %s %s", self.label, number, total, site_id(*run_site(run)), told)
                    yield run
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if number < total:
            raise XanesflowError(
                f"{self.label} stops with {number} of {total} sites done, as {self.limit.told()}; they are kept, and "
                "the next attempt goes on there."
            )

    def _run(self, site: Site, structure: str, digest: str) -> Run:
        """Compute one site.

        Raises:
            OSError: the disk is full, or another fault of the machine; it says nothing about the site.
            XanesflowError: the engine's program cannot be started.
        """
        folder = Path(tempfile.mkdtemp(prefix=self.prefix, dir=self.scratch))
        started = datetime.now(UTC)
        ended: Ended | None = None
        failure: FailedRunError | None = None
        try:
            try:
                with _faults_told(site):
                    parsed = Structure.from_dict(json.loads(structure))
                    self.engine.write_inputs(folder, parsed, site[1])
                ended = run_command(
                    self.engine.command(folder), folder, log=folder / self.engine.log_name,
                    time_limit=self.engine.time_limit, stop=self._stop,
                )  # fmt: skip
                # A cluster that ends a job signals all its processes, the engine's perhaps before this one.
                if ended.code in _FROM_OUTSIDE and self._stop.wait(_SIGNAL_SPREADS):
                    raise StoppedError
                self._judge(site, folder, ended)
            except FailedRunError as error:
                failure = error
                self._check_disk(folder, ended)
            record = self._record(folder, digest, started=started, ended=ended, failure=failure)
            return Run(*site, self._files(folder), record)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _judge(self, site: Site, folder: Path, ended: Ended) -> None:
        if ended.timed_out:
            raise FailedRunError("timed_out", f"it did not end within {self.engine.time_limit:g} s and was stopped")
        if ended.code in _FROM_OUTSIDE:
            memory = "; the machine may have run out of memory" if ended.code == _SIGKILL else ""
            raise FailedRunError("killed", f"it was ended by signal {ended.code - _SIGNAL}{memory}")
        said = " | ".join(self._tail(folder)[-3:]) or "it printed nothing"
        if ended.code and any(words in said for words in _NO_MEMORY):
            raise FailedRunError("killed", f"it found no memory: {said}")
        if ended.code > _SIGNAL:
            raise FailedRunError("engine_failed", f"it crashed with signal {ended.code - _SIGNAL}: {said}")
        with _faults_told(site):
            self.engine.validate(folder)
        if ended.code:
            raise FailedRunError("engine_failed", f"exit code {ended.code}: {said}")

    def _check_disk(self, folder: Path, ended: Ended | None) -> None:
        """A run that failed for want of room says nothing about its site."""
        said = "\n".join(self._tail(folder)).lower()
        for number in _FULL:
            if os.strerror(number).lower() in said or (ended and ended.code == _SIGXFSZ and number == errno.EFBIG):
                raise OSError(number, os.strerror(number), str(folder))

    def _tail(self, folder: Path) -> list[str]:
        lines = _content(folder / self.engine.log_name).decode("utf-8", errors="replace").splitlines()
        return [line.rstrip()[:_LINE] for line in lines if line.strip()][-TAIL:]

    def _files(self, folder: Path) -> dict[str, bytes]:
        return {name: _content(folder / name) for name in self.engine.keep if (folder / name).is_file()}

    def _record(
        self, folder: Path, digest: str, *, started: datetime, ended: Ended | None, failure: FailedRunError | None
    ) -> dict[str, Any]:
        """What run.json tells."""
        files = self._files(folder).items()
        try:
            besides = self.engine.record(folder)
        except Exception as error:  # it is no part of the result
            besides = {"record": f"not readable: {type(error).__name__} {error}"}
        record: dict[str, Any] = {
            "attempts": 1,
            **besides,
            "code": self.settings.get("code", self.engine.theory),
            "theory": self.engine.theory,
            "settings": self.settings,
            "input_sha256": digest,
            "exit_code": ended.code if ended else None,
            "seconds": round((datetime.now(UTC) - started).total_seconds(), 3),
            "started": started.isoformat(timespec="seconds"),
            "host": socket.gethostname(),
            "versions": versions(),
            "files": {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files},
            "outcome": "failed" if failure else "finished",
        }
        if failure:
            record |= {"reason": failure.reason, "detail": failure.detail, "log_tail": self._tail(folder)}
        return record


def _read_structures(path: Path, materials: set[str]) -> dict[str, str]:
    """JSON of structures by material id."""
    if not materials:
        return {}
    wanted = [("material_id", "in", materials)]
    table = pd.read_parquet(path, columns=["material_id", "structure"], filters=wanted)
    return dict(table.itertuples(index=False, name=None))


def _content(path: Path) -> bytes:
    """A file's bytes, of a large one the last; empty if it is missing."""
    if not path.is_file():
        return b""
    with path.open("rb") as opened:
        if path.stat().st_size > LOG_LIMIT:
            opened.seek(-LOG_LIMIT, os.SEEK_END)
        return opened.read()


@contextmanager
def _faults_told(site: Site) -> Iterator[None]:
    """Whatever an engine stumbles over in one structure fails that site alone; faults of the machine go on."""
    try:
        yield
    except (FailedRunError, OSError):
        raise
    except XanesflowError as error:
        raise FailedRunError("cannot_simulate", str(error)) from None
    except Exception as error:
        log.warning("%s: a fault of the engine", site_id(*site), exc_info=True)
        raise FailedRunError("engine_failed", f"{type(error).__name__}: {' '.join(str(error).split())}") from None


@contextmanager
def _full_disk_told(label: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f" at {error.filename}" if error.filename else ""
        raise XanesflowError(
            f"{label}: the disk is full{where} ({error.strerror}); make room and run again, finished sites are kept."
        ) from None
