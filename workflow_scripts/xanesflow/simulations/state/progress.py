"""How far a chunk has come, in a file that is quick to read: `results/simulations/<subset>/progress/<chunk>.json`.

The chunk's own process writes it every few seconds while sites end, and once a minute otherwise, so that a reader on
another machine can distinguish a working process from a dead one. The file is for people and for `campaign_status`:
no computation depends on it, and losing it loses no run.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

from xanesflow.core.files import read_small, sha256_text, temporary_name, write_text
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.sites import Site, chunk_name, site_id
from xanesflow.core.text import one_line
from xanesflow.running import slurm
from xanesflow.running.lock_holder import STARTED_UNKNOWN, process_start

log = logging.getLogger(__name__)

EVERY = 5.0
"""Shortest time between two writes in seconds."""

HEARTBEAT = 60.0
"""Longest time between two writes in seconds, while the process works."""

SILENT = 5 * HEARTBEAT
"""Seconds without a heartbeat after which a process on another machine counts as dead."""

_MESSAGE = 500  # characters


class RunOutcome(NamedTuple):
    """What the counts need to know of a run that has ended."""

    reason: str  # why it failed, one of `xanesflow.core.reasons.REASONS`; empty: it did not fail
    core_seconds: float  # its seconds times the cores that it used


def outcome_of(record: Mapping[str, Any]) -> RunOutcome:
    """The outcome of a run, from its run.json; a missing time counts as 0."""
    try:
        core_seconds = float(record.get("seconds", 0.0)) * float(record.get("cores", 1))
    except (TypeError, ValueError):
        core_seconds = 0.0
    return RunOutcome(str(record.get("reason", "")) if record.get("outcome") == "failed" else "", core_seconds)


@dataclass
class ChunkState:
    """How far a chunk has come, as its progress file records it."""

    subset: str  # such as `Cu_FEFF8L`
    chunk: int  # its number
    sites: int  # how many sites it has
    sites_sha256: str  # which sites these are (see `hash_sites`)
    # whether its process is running, has finished, or has stopped with `message`
    state: Literal["running", "finished", "stopped"] = "running"
    done: int = 0  # sites with a good run
    failed: dict[str, int] = field(default_factory=dict)  # reason -> number of sites
    core_seconds: float = 0.0  # of all runs, including those of earlier attempts
    running: dict[str, float] = field(default_factory=dict)  # site -> when it began, seconds since 1970
    workers: int = 1  # sites computed at a time
    started: float = field(default_factory=time.time)  # when the process began with the chunk, seconds since 1970
    updated: float = field(default_factory=time.time)  # when this was written, seconds since 1970
    host: str = field(default_factory=socket.gethostname)  # machine of the process
    process: int = field(default_factory=os.getpid)  # its id there
    # when the system started it, in the system's ticks, as ids are reused; None: not known
    process_start: int | None = None
    slurm_job_id: str | None = None  # the Slurm job in which it runs; None: none
    message: str = ""  # why it stopped early

    @property
    def ended(self) -> int:
        """Sites that have a run, good or failed."""
        return self.done + sum(self.failed.values())

    @property
    def holder(self) -> str:
        """Its process, in words."""
        job = f", Slurm job {self.slurm_job_id}" if self.slurm_job_id else ""
        return f"process {self.process} on {self.host}{job}"

    def alive(self, now: float | None = None) -> bool:
        """Whether the process is running: on this machine it must exist, on another one a recent heartbeat is enough.

        Args:
            now: seconds since 1970; None: the present time.
        """
        if self.state != "running":
            return False
        if self.host == socket.gethostname():
            found = process_start(self.process)
            return found is not None and found in (self.process_start, STARTED_UNKNOWN)
        return (time.time() if now is None else now) - self.updated < SILENT


def progress_path(folder: Path, chunk: int) -> Path:
    """The progress file of a chunk.

    Args:
        folder: of the subset, `results/simulations/<subset>`.
        chunk: its number.
    """
    return folder / "progress" / f"{chunk_name(chunk)}.json"


def read_progress(path: Path) -> ChunkState | None:
    """Read a chunk's progress file; None if it is damaged or of another version.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    content = read_small(path)
    try:
        state = ChunkState(**parse_object(content))
        numbers = [state.sites, state.done, state.core_seconds, state.updated, *state.failed.values()]
        whole = all(isinstance(number, int | float) for number in numbers)
    except (ValueError, TypeError, AttributeError):
        return None
    return state if whole and state.state in ("running", "finished", "stopped") else None


def hash_sites(sites: Iterable[Site]) -> str:
    """Hash of the sites of a chunk, in the order of their names; another hash means another site table."""
    return sha256_text("\n".join(sorted(site_id(*site) for site in sites)))


class ChunkProgress:
    """Keeps the progress file of a chunk up to date while the block runs.

    Args:
        folder: of the subset, `results/simulations/<subset>`.
        subset: such as `Cu_FEFF8L`.
        chunk: its number.
        sites: all its sites.
        workers: sites computed at a time.
    """

    def __init__(self, folder: Path, subset: str, chunk: int, sites: Iterable[Site], workers: int) -> None:
        self._sites = set(sites)
        self._path = progress_path(folder, chunk)
        self._state = ChunkState(
            subset, chunk, len(self._sites), hash_sites(self._sites), workers=workers,
            process_start=process_start(os.getpid()), slurm_job_id=slurm.own_job(),
        )  # fmt: skip
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._changed, self._over = threading.Event(), threading.Event()
        self._warned = False
        self._writer = threading.Thread(target=self._keep_writing, daemon=True, name="progress")

    def __enter__(self) -> ChunkProgress:
        for leftover in self._path.parent.glob(temporary_name(self._path, "*")):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        self._write()
        self._writer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        self._changed.set()
        self._writer.join()
        with self._lock:
            self._state.state = "finished" if error is None else "stopped"
            self._state.running = {}
            if error is not None:
                self._state.message = one_line(error, _MESSAGE, stop=True)
        self._write()

    def found(self, outcomes: Mapping[Site, RunOutcome]) -> None:
        """Count runs that earlier attempts left."""
        for site, outcome in outcomes.items():
            self._count(site, outcome)

    @contextmanager
    def at_work(self, site: Site) -> Iterator[None]:
        """List a site as running while the block runs."""
        name = site_id(*site)
        with self._lock:
            self._state.running[name] = round(time.time(), 1)
        self._changed.set()
        try:
            yield
        finally:
            with self._lock:
                self._state.running.pop(name, None)

    def ended(self, site: Site, record: Mapping[str, Any]) -> None:
        """Count a run that has ended and is kept; `record` is its run.json."""
        self._count(site, outcome_of(record))

    def _count(self, site: Site, outcome: RunOutcome) -> None:
        with self._lock:
            if site not in self._sites:  # a shared step costs time, but is no result
                pass
            elif outcome.reason:
                self._failed[outcome.reason] += 1
            else:
                self._state.done += 1
            self._state.core_seconds += outcome.core_seconds
        self._changed.set()

    def _keep_writing(self) -> None:
        while not self._over.wait(EVERY):
            self._changed.wait(HEARTBEAT - EVERY)
            if not self._over.is_set():
                self._changed.clear()
                self._write()

    def _write(self) -> None:
        with self._lock:
            self._state.updated = time.time()
            self._state.failed = dict(sorted(self._failed.items()))
            text = json.dumps({**asdict(self._state), "core_seconds": round(self._state.core_seconds, 3)}, indent=1)
        try:
            write_text(self._path, text + "\n")
        except OSError as error:  # only the runs matter, and they report a full disk
            if not self._warned:
                log.warning("%s cannot be written (%s); the chunk continues.", self._path, error.strerror)
            self._warned = True
