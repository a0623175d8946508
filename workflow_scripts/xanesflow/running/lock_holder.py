"""Find who holds a lock, and whether that process is alive, on this or another machine.

A claim is a file made by a hard link, which on every file system either succeeds or finds another claim. It names host,
process and Slurm job of its holder. The holder renews the file's time every `BEAT` seconds, and ends when it finds
that another process has taken its claim over, so that two never write for long.

filelock's `StrictSoftFileLock` was tried (4.2.11) and does less. Its claims have no place for the Slurm job and nobody
may add to them, so a holder on another node could not be distinguished from a dead one. It never breaks a claim, not
even of a dead process on this machine, so everything below that finds this out would stay. It needs hard links, which
some file systems do not have.

A holder is alive
- on the same machine: if its process exists;
- elsewhere, if its Slurm job runs: unless it gave no sign of life for `SILENT_IN_JOB` seconds;
- elsewhere, if its Slurm job is over: only while its last sign of life is younger than `SILENT_AFTER_JOB` seconds, as a
  node that Slurm has lost may still be working;
- elsewhere, if Slurm cannot answer: while its last sign of life is younger than `SILENT` seconds.
All times are those of the file system, so the clocks of the nodes need not agree.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from xanesflow.running import slurm

log = logging.getLogger(__name__)

BEAT = 20.0
SILENT_AFTER_JOB = 3 * BEAT
SILENT = 5 * 60.0
SILENT_IN_JOB = 15 * 60.0

STARTED_UNKNOWN = -1
"""Start time of a process that exists, but of which nothing more is known."""

_TAKING_OVER = 60.0  # seconds after which a process that was taking over a claim counts as dead


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock."""

    host: str  # name of its machine
    machine: str  # boot and process namespace, which are equal if two processes can see each other; empty if not known
    process: int  # its id
    started: int  # its start in clock ticks since boot, because ids are reused; 0 if not known
    slurm_job: str | None  # id of its Slurm job
    token: str  # unique to this claim

    @classmethod
    def own(cls) -> Holder:
        """Describe this process."""
        process = os.getpid()
        started = process_start(process) or 0
        return cls(socket.gethostname(), _machine(), process, started, slurm.own_job(), secrets.token_hex(8))

    def __str__(self) -> str:
        job = f" (Slurm job {self.slurm_job})" if self.slurm_job else ""
        return f"process {self.process} on {self.host}{job}"

    def here(self) -> bool:
        """Return whether it runs, or ran, where this process could see it."""
        own = Holder.own()
        return (self.host, self.machine) == (own.host, own.machine)

    def lives(self, silent: float) -> bool:
        """Return whether it is alive.

        Args:
            silent: seconds since its last sign of life.
        """
        if self.here():
            found = process_start(self.process)
            return found is not None and found in (self.started, STARTED_UNKNOWN)
        if self.slurm_job is not None and self.slurm_job == slurm.own_job():
            return silent < SILENT_AFTER_JOB  # Slurm put the job back into the queue, and this is its next run
        state = slurm.job_state(self.slurm_job) if self.slurm_job else None
        if state is None:
            return silent < SILENT
        if state in {"SUSPENDED", "STOPPED"}:
            return True
        return silent < (SILENT_IN_JOB if state in slurm.UNDER_WAY else SILENT_AFTER_JOB)


class Claim:
    """A file that names the holder of a lock.

    Args:
        path: the file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own: Holder | None = None
        self._stop = threading.Event()

    def take(self) -> Holder | None:
        """Take the claim, if no living process has it.

        Returns:
            None if this process has it now; else the holder.
        """
        own = Holder.own()
        temporary = self.path.with_name(f".{self.path.name}.{own.token}.tmp")
        temporary.write_text(json.dumps(asdict(own)) + "\n", encoding="utf-8")
        try:
            while not _linked(temporary, self.path):
                found = self.read()
                if found is None:
                    continue  # the holder has just released it
                holder, changed = found
                os.utime(temporary)
                if holder.lives(temporary.stat().st_mtime - changed) or not self._replace(holder, temporary):
                    return holder
                log.info("Taking over the lock of %s, which is dead.", holder)
                break
        finally:
            temporary.unlink(missing_ok=True)
        self._own = own
        threading.Thread(target=self._beat, daemon=True).start()
        return None

    def read(self) -> tuple[Holder, float] | None:
        """Read the holder and the time of its last sign of life; None if nobody holds the claim."""
        try:
            changed = self.path.stat().st_mtime
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return Holder(**json.loads(text)), changed
        except (ValueError, TypeError):  # of another version, or half written on a file system without hard links
            return Holder("an unknown machine", "", 0, 0, None, ""), changed

    def close(self) -> None:
        """Give the claim up; a forked child leaves it to its parent."""
        self._stop.set()
        own, self._own = self._own, None
        if own and own.process == os.getpid() and (found := self.read()) and found[0].token == own.token:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _replace(self, dead: Holder, temporary: Path) -> bool:
        """Replace a dead holder's claim by our own; only one process at a time can do this."""
        over = self.path.with_name(f".{self.path.name}.{dead.token}.over")
        try:
            over.touch(exist_ok=False)
        except FileExistsError:
            with suppress(FileNotFoundError):
                if temporary.stat().st_mtime - over.stat().st_mtime > _TAKING_OVER:
                    over.unlink()
            return False
        try:
            now = self.read()
            if now is None or now[0].token != dead.token:
                return False
            temporary.replace(self.path)
            return True
        finally:
            over.unlink(missing_ok=True)

    def _beat(self) -> None:
        own = self._own
        while not self._stop.wait(BEAT):
            with suppress(OSError):
                found = self.read()
                if own is None or self._stop.is_set():
                    return
                if found is None or not found[0].token:  # somebody has cleared the folder or changed the file
                    continue
                if found[0].token != own.token:
                    log.error("Another process took this job over because it seemed dead, so this process ends.")
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                os.utime(self.path)


def _linked(temporary: Path, path: Path) -> bool:
    """Give a file a second name, if that name is free."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            with path.open("x", encoding="utf-8") as opened:
                opened.write(temporary.read_text(encoding="utf-8"))
        except FileExistsError:
            return False
    return True


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - its text is no path
    except OSError:
        return ""


def process_start(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; `STARTED_UNKNOWN` if unknown, None if it is dead."""
    try:
        state, *fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        return None if state in "ZX" else int(fields[18])
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, ValueError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return STARTED_UNKNOWN
    return STARTED_UNKNOWN
