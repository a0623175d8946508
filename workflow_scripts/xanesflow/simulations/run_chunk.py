"""Compute the sites of one chunk with an engine: keep what finishes, record what fails.

When the job is killed, everything that it started ends too. This always holds on Linux; elsewhere, children in sessions
of their own are missed (see `running.kill_on_exit`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.engine import Engine, WithMemory, WithOwnFiles, WithSharedStep, WithSteps
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.lightshow_tree import poscar_path
from xanesflow.codes.run_zip import ChunkWriter
from xanesflow.core.errors import FailedRunError, StoppedError, XanesflowError
from xanesflow.core.files import check_room, sha256_text
from xanesflow.core.provenance import versions
from xanesflow.core.reasons import REASONS
from xanesflow.core.site_list import planned_sites
from xanesflow.core.sites import WHOLE_MATERIAL, Site, Subset, site_id
from xanesflow.core.tables import read_parquet, read_structures
from xanesflow.core.text import plural
from xanesflow.running.memory import free_memory_mb, sites_that_fit
from xanesflow.running.process import SIGNAL, Ended, run_command
from xanesflow.running.walltime import Limit
from xanesflow.simulations.faults import FULL, report_full_disk, report_site_faults
from xanesflow.simulations.job_resources import expected_seconds
from xanesflow.simulations.schedule import in_turn
from xanesflow.simulations.shared_step import finished_step, steps_from_before, steps_of
from xanesflow.simulations.state.campaign_sites import record_source
from xanesflow.simulations.state.finished_runs import FinishedRuns
from xanesflow.simulations.state.progress import ChunkProgress

log = logging.getLogger(__name__)

TAIL = 10
"""Lines from the end of a failed run's log that its run.json holds."""

LOG_LIMIT = 4 * 2**20
"""Bytes that are kept from the end of a log."""

_FORM = 1  # part of the input hash; another number makes every run be computed again
_LINE = 300  # characters kept of each of these lines
_NO_MEMORY = ("MemoryError", "Cannot allocate memory")
_SIGNAL_SPREADS = 1.0  # seconds


def simulate_chunk(
    structures: Path,
    site_table: Path,
    output: Path,
    finished: Path,
    *,
    subset: str,
    chunk: int,
    engine: Engine,
    only: Path | None = None,
    workers: int = 1,
    scratch: Path | None = None,
    tried_again: bool = False,
) -> None:
    """Compute all sites of a chunk that have no finished run yet, and pack all runs into one zip.

    A step that the sites of a material share is computed once, before the sites, and kept like a run. If the step
    failed, its sites fail too; when one of them is computed again, so is the step.

    The same runs give the same bytes. A run that is computed again differs, as its run.json records time and machine.

    Args:
        structures: Parquet of the subset's structures.
        site_table: Parquet of its sites.
        output: zip to write.
        finished: folder of the subset's finished runs (see `state.finished_runs`). The folder `progress` next to it
            gets the chunk's progress file.
        subset: such as `Cu_FEFF8L`.
        chunk: its number.
        engine: computes one site.
        only: list of the sites to compute (`site_list.read_site_list`); None: all.
        workers: sites computed at a time.
        scratch: where each site gets a folder to run in; None: the system's temporary folder ($TMPDIR).
        tried_again: whether a failed job is tried again, with more memory.

    Raises:
        XanesflowError: the list names a site that the subset lacks; the engine cannot run at all; a disk is full; the
            cluster job's time is nearly over; or sites were killed and are to be tried again. Finished runs are kept.
    """
    # The sites of this chunk, without those that the campaign does not plan to compute.
    columns = ["material_id", "site_index", "chunk"]
    table = read_parquet(site_table, columns, optional=["core_hours"]).sort_values(["material_id", "site_index"])
    rows = table[columns].itertuples(index=False, name=None)
    chunk_of_site: dict[Site, int] = {(str(m), int(i)): int(number) for m, i, number in rows}
    planned = planned_sites(only, chunk_of_site, subset)
    sites = [site for site, number in chunk_of_site.items() if number == chunk and site in planned]
    as_json = read_structures(structures, {material_id for material_id, _ in sites})
    if isinstance(engine, WithSteps):
        engine.keep_steps_in(finished.parent / "steps")
    job = _Job(
        engine, engine.settings(), f"{subset} chunk {chunk}", scratch or Path(tempfile.gettempdir()),
        finished.resolve(), expected_seconds(table),
    )  # fmt: skip
    # A shared step joins the list as a site of its own, with an engine and settings of its own.
    everything = sites
    if isinstance(engine, WithSharedStep):
        workers = min(workers, engine.at_a_time)
        job.shared = replace(job, engine=engine.shared, settings=engine.shared.settings())
        chunk_of_site |= {(material_id, WHOLE_MATERIAL): number for (material_id, _), number in chunk_of_site.items()}
        everything = sorted({*sites, *steps_of(sites)})
    hashes = {site: job.input_hash(as_json[site[0]], site[1]) for site in everything}
    keeper = FinishedRuns(finished, Subset.parse(subset), chunk)
    with ChunkProgress(finished.parent, subset, chunk, sites, workers) as progress, report_full_disk(job.label):
        record_source(finished.parent, only)
        # Take over finished runs of the same input; compute the rest, and keep each run as soon as it ends.
        places = keeper.find(hashes)
        progress.found({site: keeper.outcomes[site] for site in places})
        counts = Counter(before=sum(site in places for site in sites))
        job.clear()
        if job.shared:
            job.first |= steps_from_before(keeper, places, [site for site in sites if site not in places])
        waiting = [(site, as_json[site[0]], hashes[site]) for site in everything if site not in places]
        if isinstance(engine, WithMemory) and workers > 1:
            needed = [engine.memory_mb(Structure.from_dict(json.loads(text)), site[1]) for site, text, _ in waiting]
            workers = sites_that_fit(workers, needed, free_memory_mb())
        for run in job.compute(waiting, workers, already=counts["before"], put=keeper.put, progress=progress):
            places[run.site] = keeper.singles / f"{site_id(*run.site)}.zip"
            counts["computed"] += run.site_index != WHOLE_MATERIAL
        # Pack all runs, old and new, in the order of sites: the bytes must not depend on which run ended first.
        failed: Counter[str] = Counter()
        with ChunkWriter([output]) as writer:
            runs = keeper.read({site: places[site] for site in everything})
            for material_id, group in groupby(runs, key=lambda run: run.material_id):
                structure = Structure.from_dict(json.loads(as_json[material_id]))
                path = poscar_path(keeper.subset.element, material_id)
                writer.add(0, path, structure.to(fmt="poscar").encode())
                for run in group:
                    keeper.write(writer, run)
                    if run.record["outcome"] == "failed" and run.site_index != WHOLE_MATERIAL:
                        failed[run.record["reason"]] += 1
                        counts["computed" if run.site in job.done else "before"] -= 1
        keeper.settle(output, chunk_of_site)
    # Summarize. Killed sites fail the job if another attempt, with more memory, is to come.
    reasons = ", ".join(f"{failed[reason]} {reason}" for reason in REASONS if failed[reason])
    log.info(
        "%s: %s: %d computed, %d kept from before, %d failed%s",
        job.label, plural(len(sites), "site"), counts["computed"], counts["before"], failed.total(),
        reasons and f" ({reasons})",
    )  # fmt: skip
    if failed["killed"] and tried_again:
        raise XanesflowError(
            f"{job.label}: {failed['killed']} of its sites were killed or ran out of memory; the others are kept, and "
            "these are tried again with more memory."
        )


def input_hash(structure: str, site_index: int, theory: str, settings: Mapping[str, Any]) -> str:
    """SHA-256 of everything that a run depends on.

    Args:
        structure: pymatgen's JSON.
        site_index: of the absorber.
        theory: level of theory.
        settings: from `Engine.settings`.
    """
    whole = {"form": _FORM, "structure": structure, "site": site_index, "theory": theory, "settings": settings}
    return sha256_text(json.dumps(whole, sort_keys=True))


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
    shared: _Job | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    first: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # material -> run.json of its shared step

    @property
    def prefix(self) -> str:
        """Start of the names of this job's scratch folders; no other job on this machine uses it."""
        return f"xanesflow-{sha256_text(f'{self.owner} {self.label}')[:12]}-"

    def clear(self) -> None:
        """Remove the scratch folders that a killed process of this job left behind."""
        for folder in self.scratch.glob(f"{self.prefix}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def input_hash(self, structure: str, site_index: int) -> str:
        """Input hash of a site, or of the step that a material's sites share."""
        job = self.shared if self.shared and site_index == WHOLE_MATERIAL else self
        return input_hash(structure, site_index, self.engine.theory, job.settings)

    def _expected_seconds(self, site: Site) -> float:
        """Expected seconds of a site; a shared step should take as long as the longest of its sites."""
        if site[1] != WHOLE_MATERIAL:
            return self.expected[site]
        return max(seconds for (material_id, _), seconds in self.expected.items() if material_id == site[0])

    def compute(
        self,
        waiting: list[tuple[Site, str, str]],
        workers: int,
        *,
        already: int,
        put: Callable[[FinishedRun], Path],
        progress: ChunkProgress,
    ) -> Iterator[FinishedRun]:
        """Compute sites, `workers` at a time, and yield each run as soon as it is kept.

        Raises:
            XanesflowError: sites are left, because the job's time is nearly over or the job was asked to end.
        """
        # Sites whose shared step is still to be computed wait for it; everything else can start at once.
        steps = {site[0] for site, _, _ in waiting if site[1] == WHOLE_MATERIAL}
        later = [task for task in waiting if task[0][0] in steps and task[0][1] != WHOLE_MATERIAL]
        first = [task for task in waiting if task[0][0] not in steps or task[0][1] == WHOLE_MATERIAL]
        number, total = already, already + len(waiting) - len(steps)

        def one(task: tuple[Site, str, str]) -> FinishedRun | None:
            site = task[0]
            job = self.shared if self.shared and site[1] == WHOLE_MATERIAL else self
            expected = self._expected_seconds(site)
            if not self.limit.may_start(expected, workers):
                return None
            try:
                with progress.at_work(site):
                    run = job._run(*task)
                    put(run)
            except StoppedError:  # stopped by the time limit, which says nothing about the site
                return None
            progress.ended(site, run.record)
            self.limit.learn(run.record["seconds"], expected)
            return run

        def then(run: FinishedRun | None) -> list[tuple[Site, str, str]]:
            if run is None or run.site_index != WHOLE_MATERIAL:
                return []
            self.first[run.material_id] = run.record
            return [task for task in later if task[0][0] == run.material_id]

        # Whatever ends this loop early also stops the engines that are running.
        with self.limit.watched(self._stop), ThreadPoolExecutor(workers) as pool:
            try:
                for run in in_turn(pool, one, first, workers, then):
                    if run is None:
                        continue
                    number += run.site_index != WHOLE_MATERIAL
                    self.done.add(run.site)
                    outcome = f"{run.record['seconds']:.1f} s"
                    if run.record["outcome"] == "failed":
                        outcome = f"failed ({run.record['reason']}): {run.record['detail']}"
                    log.info("%s: %d/%d %s %s", self.label, number, total, site_id(*run.site), outcome)
                    yield run
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if number < total:
            raise XanesflowError(
                f"{self.label} stops with {number} of {plural(total, 'site')} done, as {self.limit.why_stopped()}; "
                "they are kept, and the next attempt continues from there."
            )

    def _run(self, site: Site, structure: str, digest: str) -> FinishedRun:
        """Compute one site.

        Raises:
            OSError: the disk is full or the machine has another fault, which says nothing about the site.
            XanesflowError: the engine's program cannot be started.
        """
        folder = Path(tempfile.mkdtemp(prefix=self.prefix, dir=self.scratch))
        started = datetime.now(UTC)
        ended: Ended | None = None
        failure: FailedRunError | None = None
        try:
            try:
                with report_site_faults(site):
                    if isinstance(self.engine, WithSharedStep):
                        self.engine.take_shared(folder, finished_step(self.first[site[0]]))
                    parsed = Structure.from_dict(json.loads(structure))
                    self.engine.write_inputs(folder, parsed, site[1])
                ended = run_command(
                    self.engine.command(folder), folder, log=folder / self.engine.log_name,
                    time_limit=self.engine.time_limit, stop=self._stop,
                )  # fmt: skip
                # A cluster that ends a job signals all its processes, perhaps the engine before this one.
                if ended.from_outside and self._stop.wait(_SIGNAL_SPREADS):
                    raise StoppedError
                self._check_run(site, folder, ended)
            except FailedRunError as error:
                failure = error
                self._check_disk(folder, ended)
            files = self._files(folder)
            record = self._record(folder, files, digest, started=started, ended=ended, failure=failure)
            return FinishedRun(*site, files, record)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _check_run(self, site: Site, folder: Path, ended: Ended) -> None:
        if ended.timed_out:
            raise FailedRunError("timed_out", f"it did not end within {self.engine.time_limit:g} s and was stopped")
        if ended.from_outside:
            raise FailedRunError("killed", f"it was {ended.from_outside}")
        said = " | ".join(self._tail(folder)[-3:]) or "it printed nothing"
        if ended.code and any(words in said for words in _NO_MEMORY):
            raise FailedRunError("killed", f"it ran out of memory: {said}")
        if ended.code > SIGNAL:
            raise FailedRunError("engine_failed", f"it crashed with signal {ended.code - SIGNAL}: {said}")
        with report_site_faults(site):
            self.engine.validate(folder)
        if ended.code:
            raise FailedRunError("engine_failed", f"exit code {ended.code}: {said}")

    def _check_disk(self, folder: Path, ended: Ended | None) -> None:
        """Raise OSError if the disk was full: such a failure says nothing about the site."""
        said = "\n".join(self._tail(folder)).lower()
        for number in FULL:
            too_large = ended and ended.code == SIGNAL + signal.SIGXFSZ and number == errno.EFBIG
            if os.strerror(number).lower() in said or too_large:
                raise OSError(number, os.strerror(number), str(folder))
        check_room(folder)  # most programs say nothing of a full disk

    def _tail(self, folder: Path) -> list[str]:
        lines = _content(folder / self.engine.log_name).decode("utf-8", errors="replace").splitlines()
        return [line.rstrip()[:_LINE] for line in lines if line.strip()][-TAIL:]

    def _files(self, folder: Path) -> dict[str, bytes]:
        content = self.engine.kept_content if isinstance(self.engine, WithOwnFiles) else _content
        return {name: content(folder / name) for name in self.engine.keep if (folder / name).is_file()}

    def _record(
        self,
        folder: Path,
        files: Mapping[str, bytes],
        digest: str,
        *,
        started: datetime,
        ended: Ended | None,
        failure: FailedRunError | None,
    ) -> dict[str, Any]:
        """The content of run.json."""
        try:
            besides = self.engine.record(folder)
        except Exception as error:  # these extras are no part of the result
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
            "files": {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()},
            "outcome": "failed" if failure else "finished",
        }
        if failure:
            record |= {"reason": failure.reason, "detail": failure.detail, "log_tail": self._tail(folder)}
        return record


def _content(path: Path) -> bytes:
    """A file's bytes, the last `LOG_LIMIT` of a large one; empty if it is missing."""
    if not path.is_file():
        return b""
    with path.open("rb") as opened:
        if path.stat().st_size > LOG_LIMIT:
            opened.seek(-LOG_LIMIT, os.SEEK_END)
        return opened.read()
