"""Who holds a lock, and whether that process lives, also where it runs on another machine.

The kernel's lock (flock) goes with its holder, but not every file system of a cluster passes it on to other nodes.
Beside it stands a claim: a file that is made by a hard link, which either succeeds or finds another one there, on every
file system. It tells host, process and Slurm job of its holder, which renews its time every `BEAT` seconds.

A holder is alive
- on the same machine: if its process is there;
- elsewhere, if its Slurm job runs: unless it gave no sign of life for `SILENT_IN_JOB` seconds;
- elsewhere, if its Slurm job is over: only while its last sign of life is younger than `SILENT_AFTER_JOB` seconds, as a
  node that Slurm has lost may still be at work;
- elsewhere, if nothing can be asked: while its last sign of life is younger than `SILENT` seconds.
All times are those of the file system, so that clocks of nodes need not agree.
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

from xanesflow.running import slurm

log = logging.getLogger(__name__)

BEAT = 20.0
SILENT_AFTER_JOB = 3 * BEAT
SILENT = 5 * 60.0
SILENT_IN_JOB = 15 * 60.0

STARTED_UNKNOWN = -1
"""Start of a process of which no more is known than that it is there."""

_TAKING_OVER = 60.0  # seconds after which who took over a claim has died of it


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock.

    Attributes:
        host: name of its machine.
        machine: what tells that two processes see each other: boot and process namespace; empty if not known.
        process: its id.
        started: its start in clock ticks since boot, as ids are used again; 0 if not known.
        slurm_job: id of its Slurm job.
        token: of this claim alone.
    """

    host: str
    machine: str
    process: int
    started: int
    slurm_job: str | None
    token: str

    @classmethod
    def own(cls) -> Holder:
        """This process."""
        process = os.getpid()
        started = process_start(process) or 0
        return cls(socket.gethostname(), _machine(), process, started, slurm.own_job(), secrets.token_hex(8))

    def __str__(self) -> str:
        job = f" (Slurm job {self.slurm_job})" if self.slurm_job else ""
        return f"process {self.process} on {self.host}{job}"

    def here(self) -> bool:
        """Whether it runs, or ran, where this process could see it."""
        own = Holder.own()
        return (self.host, self.machine) == (own.host, own.machine)

    def lives(self, silent: float) -> bool:
        """Whether it is alive.

        Args:
            silent: seconds since its last sign of life.
        """
        if self.here():
            found = process_start(self.process)
            return found is not None and found in (self.started, STARTED_UNKNOWN)
        if self.slurm_job is not None and self.slurm_job == slurm.own_job():
            return silent < SILENT_AFTER_JOB  # it was put back into the queue, and this is its next life
        state = slurm.job_state(self.slurm_job) if self.slurm_job else None
        if state is None:
            return silent < SILENT
        if state in {"SUSPENDED", "STOPPED"}:
            return True
        return silent < (SILENT_IN_JOB if state in slurm.UNDER_WAY else SILENT_AFTER_JOB)


class Claim:
    """A file that tells who holds something.

    Args:
        path: the file; its folder is there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own: Holder | None = None
        self._stop = threading.Event()

    def take(self) -> Holder | None:
        """Take it, if nobody alive has it.

        Returns:
            None if it is taken now; else the holder.
        """
        own = Holder.own()
        temporary = self.path.with_name(f".{self.path.name}.{own.token}.tmp")
        temporary.write_text(json.dumps(asdict(own)) + "\n", encoding="utf-8")
        try:
            while not _linked(temporary, self.path):
                found = self.read()
                if found is None:
                    continue  # let go just now
                holder, changed = found
                os.utime(temporary)
                if holder.lives(temporary.stat().st_mtime - changed) or not self._replace(holder, temporary):
                    return holder
                log.info("What %s held is taken over, as it is gone.", holder)
                break
        finally:
            temporary.unlink(missing_ok=True)
        self._own = own
        threading.Thread(target=self._beat, daemon=True).start()
        return None

    def read(self) -> tuple[Holder, float] | None:
        """The holder and the time of its last sign of life; None if there is none."""
        try:
            changed = self.path.stat().st_mtime
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return Holder(**json.loads(text)), changed
        except (ValueError, TypeError):  # of another version, or being written where there are no hard links
            return Holder("an unknown machine", "", 0, 0, None, ""), changed

    def release(self) -> None:
        """Let it go."""
        self._stop.set()
        if self._own and (found := self.read()) and found[0].token == self._own.token:
            self.path.unlink(missing_ok=True)
        self._own = None

    def _replace(self, dead: Holder, temporary: Path) -> bool:
        """Put the own claim in the place of a dead one's, as the only one who does."""
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
                if found is None or not found[0].token:  # somebody has cleared the folder, or meddled with it
                    continue
                if found[0].token != own.token:
                    log.error("This job was thought dead and taken over by another process, so it ends.")
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                os.utime(self.path)


def _linked(temporary: Path, path: Path) -> bool:
    """Give a file a second name, if that is free."""
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
    """When the system started a process, in its ticks; -1: it is there, and no more is known; None: it is not there."""
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
