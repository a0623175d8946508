"""One queue for all work: in processes of its own, kept in files, so that reloads and restarts find it again."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from xanesflow.core.errors import XanesflowError, sentence_about
from xanesflow.core.files import write_text
from xanesflow.core.text import plural
from xanesflow.running.do_work import NOT_WRITTEN, OUTCOME, PROGRESS, RESULT, do_work

WAITING, AT_WORK, DONE, FAILED, CANCELLED, STOPPED = "waiting", "at work", "done", "failed", "cancelled", "stopped"
"""States of a job; stopped: the server ended before the work did."""

_NOTHING: Mapping[str, Sequence[Path]] = {}
_POLL = 0.05  # seconds
_ASK_SECONDS, _ASKED = 180.0, 4
_DAYS = 30.0
PLACE = re.compile("(ask-)?[0-9a-f]{32}")
"""Names in the queue's folder: of a job, and of what is asked for now. Nothing else in it is touched."""

_LOST = "The process that did this was killed{}; the machine may have run out of memory. Start it again."
_STOPPED = "The server was stopped before this was done; start it again, what was computed is kept."


@dataclass
class QueuedJob:
    """A piece of work in the queue."""

    id: str  # 32 hexadecimal digits
    session: str  # whose it is
    kind: str  # one of the queue's
    title: str  # for people
    given: dict[str, Any]  # what the work gets
    state: str = WAITING  # see above
    error: str = ""  # why it failed, in a sentence
    made: float = field(default_factory=time.time)  # when it was asked for, seconds since 1970
    begun: float = 0.0  # when its process began; 0 before
    ended: float = 0.0  # when it ended; 0 before

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in (WAITING, AT_WORK)


class WorkQueue:
    """The queue and its processes.

    Args:
        folder: of all jobs, each in a folder of its own.
        kinds: for each kind of work its function `(work: Work) -> dict`, as `module:function`.
        heavy: modules that are imported once; workers are copies of the process that has them.
        at_a_time: pieces of work at once.
        most: unfinished pieces of a session.
    """

    def __init__(
        self, folder: Path, kinds: Mapping[str, str], *, heavy: Sequence[str] = (), at_a_time: int, most: int
    ) -> None:
        self.folder, self._kinds, self._most = folder, kinds, most
        self._change = threading.Condition()
        self._asking = threading.Semaphore(_ASKED)
        self._processes = mp.get_context("forkserver")
        self._processes.set_forkserver_preload(list(heavy))
        self._jobs: dict[str, QueuedJob] = {}
        self._closed = False
        folder.mkdir(parents=True, exist_ok=True)
        self._restore()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(at_a_time)]
        for thread in self._threads:
            thread.start()

    def warm_up(self) -> None:
        """Start the process that imports the heavy libraries, without waiting for it."""
        threading.Thread(target=self._import_heavy, daemon=True).start()

    def _import_heavy(self) -> None:
        """Start a worker that does nothing; this takes until the heavy libraries are imported."""
        with suppress(OSError):  # a full disk; the first work says so
            self._processes.Process(target=int).start()

    def ask(self, kind: str, given: dict[str, Any], files: Mapping[str, Sequence[Path]] = _NOTHING) -> dict[str, Any]:
        """Do a short piece of work now, and return its result; arguments as for `add`.

        Raises:
            XanesflowError: what is given cannot be used, or it takes too long.
            OSError: its folder cannot be written.
        """
        place = self.folder / f"ask-{secrets.token_hex(16)}"
        given = {**given, **{key: list(map(str, paths)) for key, paths in files.items()}}
        with self._asking:
            place.mkdir()
            try:
                end = time.monotonic() + _ASK_SECONDS
                error = self._run(place, kind, given, lambda: time.monotonic() > end)
                if error is None:
                    raise XanesflowError(f"This takes longer than {_ASK_SECONDS:.0f} s, so it was stopped; give less.")
                if error:
                    raise XanesflowError(error)
                found: dict[str, Any] = json.loads((place / RESULT).read_text(encoding="utf-8"))
                return found
            finally:
                shutil.rmtree(place, ignore_errors=True)

    def add(
        self, session: str, kind: str, title: str, given: dict[str, Any], files: Mapping[str, Sequence[Path]] = _NOTHING
    ) -> QueuedJob:
        """Put a piece of work into the queue.

        Args:
            session: whose it is.
            kind: one of the queue's.
            title: for people.
            given: plain JSON.
            files: uploads that it reads: the job keeps copies, and `given` gets lists of their paths by these names.

        Raises:
            XanesflowError: the session has too much in it.
            OSError: it cannot be kept.
        """
        with self._change:
            if sum(not each.over for each in self.jobs(session)) >= self._most:
                raise XanesflowError(
                    f"{plural(self._most, 'piece')} of work wait already, which is the limit; let some end, or cancel."
                )
            job = QueuedJob(secrets.token_hex(16), session, kind, title, dict(given))
            place = self.folder / job.id
            try:
                place.mkdir()
                for key, paths in files.items():
                    job.given[key] = [
                        str(_copied(path, place / "input" / key / str(k))) for k, path in enumerate(paths)
                    ]
                self._keep(job)
            except OSError:
                shutil.rmtree(place, ignore_errors=True)
                raise
            self._jobs[job.id] = job
            self._change.notify_all()
        return job

    def jobs(self, session: str) -> list[QueuedJob]:
        """The jobs of a session, the newest first."""
        found = [job for job in list(self._jobs.values()) if job.session == session]
        return sorted(found, key=lambda job: -job.made)

    def get(self, session: str, job_id: object) -> QueuedJob:
        """A job of a session.

        Raises:
            XanesflowError: there is none.
        """
        job = self._jobs.get(str(job_id))
        if job is None or job.session != session:
            raise XanesflowError("There is no such work any more; start it again.")
        return job

    def result(self, session: str, job_id: object) -> dict[str, Any]:
        """What a job has shown so far; empty before it shows anything."""
        return self._read(self.get(session, job_id).id, RESULT)

    def shown(self, session: str) -> list[dict[str, Any]]:
        """The fields of a session's jobs, with `share` (0 to 1), `said`, and `parts`, which changes as results do."""
        found = []
        for job in self.jobs(session):
            progress = {} if job.over else self._read(job.id, PROGRESS)
            found.append(
                {
                    **{name: value for name, value in asdict(job).items() if name not in ("session", "given")},
                    "share": 1.0 if job.state == DONE else progress.get("share", 0.0),
                    "said": progress.get("said", ""),
                    "parts": _changed(self.folder / job.id / RESULT),
                }
            )
        return found

    def files(self, session: str, job_id: object) -> dict[str, Path]:
        """The files that a job wrote for the reader, by name."""
        place = self.folder / self.get(session, job_id).id / "files"
        return {path.name: path for path in sorted(place.iterdir())} if place.is_dir() else {}

    def cancel(self, session: str, job_id: object) -> None:
        """End a job that is not over; what it has shown stays."""
        with self._change:
            job = self.get(session, job_id)
            if not job.over:
                self._end(job, CANCELLED)

    def again(self, session: str, job_id: object) -> None:
        """Put a job that is over into the queue once more."""
        with self._change:
            job = self.get(session, job_id)
            if job.over:
                for name in (OUTCOME, PROGRESS):
                    (self.folder / job.id / name).unlink(missing_ok=True)
                job.state, job.error, job.begun, job.ended = WAITING, "", 0.0, 0.0
                self._keep(job)
                self._change.notify_all()

    def remove(self, session: str, job_id: object) -> None:
        """Forget a job and its files."""
        with self._change:  # as threads look through the jobs
            self.cancel(session, job_id)
            job = self._jobs.pop(self.get(session, job_id).id)
        shutil.rmtree(self.folder / job.id, ignore_errors=True)

    def close(self) -> None:
        """Stop all work; what has not ended is kept as stopped."""
        with self._change:
            self._closed = True
            for job in self._jobs.values():
                if not job.over:
                    self._end(job, STOPPED, _STOPPED)
            self._change.notify_all()
        for thread in self._threads:
            thread.join(10)

    def _work(self) -> None:
        """The life of a thread: take the next job, run its process, keep what became of it."""
        while True:
            with self._change:
                while not self._closed and self._next() is None:
                    self._change.wait()
                job = self._next()
                if self._closed or job is None:
                    return
                job.state, job.begun = AT_WORK, time.time()
            with suppress(OSError):  # a full disk must not end the thread; the job says so itself
                self._keep(job)
            try:
                error = self._run(self.folder / job.id, job.kind, job.given, partial(_is_over, job))
            except Exception as failure:
                error = sentence_about(failure)
            shutil.rmtree(self.folder / job.id / "scratch", ignore_errors=True)
            with self._change:
                if error is not None and not job.over:
                    self._end(job, FAILED if error else DONE, error)

    def _next(self) -> QueuedJob | None:
        """The oldest waiting job of the session with the least at work."""
        busy = [job.session for job in self._jobs.values() if job.state == AT_WORK]
        waiting = [job for job in self._jobs.values() if job.state == WAITING]
        return min(waiting, key=lambda job: (busy.count(job.session), job.made), default=None)

    def _run(self, place: Path, kind: str, given: dict[str, Any], stop: Callable[[], bool]) -> str | None:
        """Do work in a process; returns its error, empty if there is none, None if `stop` said so."""
        process = self._processes.Process(target=do_work, args=(str(place), self._kinds[kind], given))
        process.start()
        try:
            while process.is_alive():
                if stop():
                    return None
                process.join(_POLL)
            outcome = self._read(place.name, OUTCOME)
            if not outcome:
                code = process.exitcode or 0
                if code > NOT_WRITTEN:
                    return sentence_about(OSError(code - NOT_WRITTEN, os.strerror(code - NOT_WRITTEN)))
                return _LOST.format(f" by signal {-code}" if code < 0 else "")
            return str(outcome["error"])
        finally:
            assert process.pid  # the group of 0 would be this process's own
            with suppress(ProcessLookupError):  # it has not made its group yet, or nothing of it is left
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join()
            process.close()

    def _end(self, job: QueuedJob, state: str, error: str = "") -> None:
        job.state, job.error, job.ended = state, error, time.time()
        with suppress(OSError):
            self._keep(job)

    def _keep(self, job: QueuedJob) -> None:
        write_text(self.folder / job.id / "job.json", json.dumps(asdict(job)))

    def _read(self, job_id: str, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / job_id / name).read_text(encoding="utf-8"))
            return found
        except (OSError, ValueError):
            return {}

    def _restore(self) -> None:
        """Read the jobs of earlier servers, and remove what is too old or was never whole."""
        for place in self.folder.iterdir():
            if not PLACE.fullmatch(place.name):
                continue
            try:
                job = QueuedJob(**json.loads((place / "job.json").read_text(encoding="utf-8")))
                lasts = job.id == place.name and job.made > time.time() - 86400 * _DAYS
            except (OSError, ValueError, TypeError):
                lasts = False
            if not lasts:
                shutil.rmtree(place, ignore_errors=True)
                continue
            self._jobs[job.id] = job
            if not job.over:
                shutil.rmtree(place / "scratch", ignore_errors=True)
                self._end(job, STOPPED, _STOPPED)


def _is_over(job: QueuedJob) -> bool:
    return job.over


def _copied(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    return Path(shutil.copy(path, folder / path.name))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
