"""A real Slurm on this one machine: slurmctld, slurmd and munge, without systemd, cgroups or accounting.

    python tests/support/slurm_node.py start      installs Debian's packages if missing, and waits until it is up
    python tests/support/slurm_node.py stop       ends its jobs and daemons

Needs root. The node has 16 cores and 32 GB on paper, whatever the machine has, so that jobs do not wait for each other.
State and logs are in $XANESFLOW_TEST_SLURM, or xanesflow-slurm in the system's folder for temporary files.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "squeue", "munged")
CONFIG = Path("/etc/slurm/slurm.conf")  # only here do all of Slurm's programs find it, a job's own among them
MARK = "# made by tests/support/slurm_node.py"
CORES, MEMORY_MB = 16, 32000

# Memory is looked after every second, and what takes more is killed; there are no cgroups to do it. MinJobAge is how
# long squeue knows of a job that is over. EnforcePartLimits: a job that can never run is refused, not kept waiting.
TEMPLATE = """{mark}
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge/socket
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/node
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldTimeout=30
SlurmdTimeout=60
ReturnToService=2
MinJobAge=600
KillWait=5
EnforcePartLimits=ALL
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=short Nodes={host} Default=YES DefaultTime=10 MaxTime=1-00:00:00 State=UP
PartitionName=long Nodes={host} MaxTime=UNLIMITED State=UP
"""


class UnavailableError(Exception):
    """Slurm cannot be brought up here; says why."""


class OneNode:
    """The daemons.

    Args:
        state: folder for their state and logs.
    """

    def __init__(self, state: Path | None = None) -> None:
        default = Path(tempfile.gettempdir()) / "xanesflow-slurm"
        self.state = state or Path(os.environ.get("XANESFLOW_TEST_SLURM", default))
        self.log = self.state / "log"
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Bring it up, whatever an earlier one left.

        Raises:
            UnavailableError: it cannot run here.
        """
        if os.geteuid() != 0:
            raise UnavailableError("a Slurm for the tests needs root")
        if CONFIG.exists() and MARK not in CONFIG.read_text():
            raise UnavailableError(f"this machine has a Slurm of its own ({CONFIG})")
        self.log.mkdir(parents=True, exist_ok=True)
        self._lock = (self.state / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UnavailableError(f"another process uses the Slurm of {self.state}") from None
        self._install()
        self._end_daemons()
        for name in ("controller", "node", "munge"):
            shutil.rmtree(self.state / name, ignore_errors=True)
            (self.state / name).mkdir()
        host = socket.gethostname().split(".")[0]
        CONFIG.parent.mkdir(exist_ok=True)
        CONFIG.write_text(
            TEMPLATE.format(mark=MARK, host=host, state=self.state, cores=CORES, memory=MEMORY_MB), encoding="utf-8"
        )
        self._start_munge()
        self._daemon("slurmctld", "-c", "-D")
        self._wait("slurmctld", lambda: "UP" in self.ask("scontrol", "ping"))
        self.start_slurmd()
        self._wait("the node", lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"))

    def stop(self) -> None:
        """End the jobs, then the daemons."""
        try:
            for partition in ("short", "long"):
                self.ask("scancel", "--partition", partition)
            deadline = time.monotonic() + 15
            while self.ask("squeue", "-h", "-t", "pending,running,completing") and time.monotonic() < deadline:
                time.sleep(0.3)
        finally:
            self._end_daemons()
            if CONFIG.exists() and MARK in CONFIG.read_text():
                CONFIG.unlink()

    def start_slurmd(self) -> None:
        """Start the node's daemon."""
        self._daemon("slurmd", "-D")

    def kill_slurmd(self) -> None:
        """Kill the node's daemon as a fault would; the jobs go on."""
        os.kill(self._pids()["slurmd"], signal.SIGKILL)

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands says; empty if it fails."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def jobs(self, folder: Path, *states: str) -> dict[str, str]:
        """Id -> comment (rule and wildcards) of the jobs of a working directory, those that run unless told else."""
        wanted = ",".join(states) or "running"
        lines = self.ask("squeue", "-h", "-t", wanted, "-o", "%i|%Z|%k").splitlines()
        return {job: comment for job, where, comment in (line.split("|", 2) for line in lines) if where == str(folder)}

    def job_of(self, folder: Path, chunk: str) -> str:
        """Id of the running job of a chunk (`Ni_FEFF8L_0003`); empty if there is none, or squeue does not answer."""
        return next((job for job, comment in self.jobs(folder).items() if comment.endswith(chunk)), "")

    def _install(self) -> None:
        if all(shutil.which(name) for name in PROGRAMS):
            return
        if shutil.which("apt-get") is None:
            raise UnavailableError(f"Slurm is not installed ({', '.join(PACKAGES)}), and there is no apt-get")
        # RUNLEVEL: the packages start no services of their own.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        with (self.log / "apt.log").open("wb") as log:
            for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
                done = subprocess.run(
                    ["apt-get", *command], env=environment, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, check=False,
                )  # fmt: skip
        if done.returncode or not all(shutil.which(name) for name in PROGRAMS):
            raise UnavailableError(f"apt-get could not install {', '.join(PACKAGES)}, see {log.name}")

    def _start_munge(self) -> None:
        folder = self.state / "munge"
        folder.chmod(0o755)
        key = folder / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        self._daemon(
            "munged", "--foreground", f"--key-file={key}", f"--socket={folder}/socket", f"--seed-file={folder}/seed",
            f"--log-file={folder}/munged.log", f"--pid-file={folder}/pid",
        )  # fmt: skip
        self._wait("munged", (folder / "socket").exists)

    def _daemon(self, name: str, *arguments: str) -> None:
        with (self.log / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                [shutil.which(name) or name, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=self.state,
            )  # fmt: skip
        self._children.append(child)
        (self.state / "daemons.json").write_text(json.dumps({**self._pids(), name: child.pid}))

    def _pids(self) -> dict[str, int]:
        """Daemons that this or an earlier process started and that are alive."""
        try:
            known = json.loads((self.state / "daemons.json").read_text())
        except (OSError, ValueError):
            return {}
        for child in self._children:
            child.poll()  # or it stays as a zombie
        return {name: pid for name, pid in known.items() if _name(pid) == name}

    def _end_daemons(self) -> None:
        for name in ("slurmd", "slurmctld", "munged"):
            pid = self._pids().get(name)
            if pid is None:
                continue
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 10
            while name in self._pids():
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)

    def _wait(self, what: str, condition: object) -> None:
        deadline = time.monotonic() + 60
        while not condition():  # type: ignore[operator]
            if time.monotonic() > deadline:
                logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in self.log.glob("*.log"))
                self._end_daemons()
                CONFIG.unlink(missing_ok=True)
                raise RuntimeError(f"{what} did not come up:\n{logs}")
            time.sleep(0.1)


def _name(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return ""
    return "" if stat[2].split()[0] in "ZX" else stat[0].partition("(")[2]


if __name__ == "__main__":
    if sys.argv[1:] not in (["start"], ["stop"]):
        sys.exit(__doc__)
    try:
        getattr(OneNode(), sys.argv[1])()
    except UnavailableError as error:
        sys.exit(str(error))
