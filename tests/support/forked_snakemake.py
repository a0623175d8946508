"""Snakemake as `python -m snakemake` runs it, without importing it anew for each call, which takes most of a dry run.

A process that has imported Snakemake and what our rules import, and done nothing else, forks for each call; only what a
call's own process does and changes is then its own, as ever. The process ends with the tests that started it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile

from forked_scripts import PATH, SCRIPTS, forget_xanesflow, imported_by, stand_in


class Started:
    """Snakemake at work, to be handled as a `subprocess.Popen` is.

    Args:
        arguments: of the command, after `snakemake`.
        folder: current folder of the call.
        environment: all of it; None: that of the test.
        seconds: after which it is ended by a signal.
        fork_scripts: whether the rules' scripts are forked as well (forked_scripts.py), or started by Python itself.
        session: whether it has a session of its own, or only a process group, which then has its scripts in it, too.

    Attributes:
        stdout: what it printed.
        returncode: None while it is at work.
    """

    def __init__(
        self, arguments: list[str], *, folder: Path, environment: dict[str, str] | None = None, seconds: int = 600,
        fork_scripts: bool = True, session: bool = False,
    ) -> None:  # fmt: skip
        with NamedTemporaryFile() as printed:
            self.stdout = Path(printed.name).open()  # noqa: SIM115 - its reader closes it
            environment = environment or dict(os.environ)
            asked = {"arguments": arguments, "folder": str(folder), "environment": environment, "seconds": seconds}
            python = stand_in() if fork_scripts else sys.executable
            self.pid = _ask({**asked, "python": python, "session": session, "printed": printed.name})
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _ask({"wait": self.pid, "options": os.WNOHANG})
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = _ask({"wait": self.pid, "options": 0})
        return self.returncode

    def communicate(self) -> tuple[str, None]:
        self.wait()
        with self.stdout:
            return self.stdout.read(), None


def call(arguments: list[str], **how) -> tuple[int, str]:
    """Call Snakemake in a folder; its exit code, and what it printed. The arguments are those of `Started`."""
    started = Started(arguments, session=True, **how)
    printed, _ = started.communicate()
    return started.wait(), printed


def _ask(what: dict):
    server = _server()
    server.stdin.write(json.dumps(what) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)  # the end of its input ends it
    return server


def _serve() -> None:
    import nbformat  # noqa: F401 - these two Snakemake imports in each call, at its first need
    import smart_open  # noqa: F401
    from snakemake.cli import get_argument_parser, main

    get_argument_parser()  # loads the plugins
    for module in [*imported_by(SCRIPTS.parent, "Snakefile"), *imported_by(SCRIPTS.parent / "rules", "*.smk")]:
        import_module(module)
    gc.freeze()  # the collector would touch, and so copy, all that the processes share
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            child, status = os.waitpid(asked["wait"], asked["options"])
            answer = os.waitstatus_to_exitcode(status) if child else None
        else:
            ready, tell = os.pipe()
            answer = os.fork()
            if not answer:
                _become_the_call(asked)
                os.close(ready)
                os.close(tell)
                sys.exit(main())
            os.close(tell)
            os.read(ready, 1)  # at its end it leads its group
            os.close(ready)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def _become_the_call(asked: dict) -> None:
    import signal

    if asked["session"]:
        os.setsid()
    else:
        os.setpgid(0, 0)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.executable = asked["python"]  # what scripts are started with
    path = os.environ.get("PYTHONPATH", "")
    sys.path[:1] = [asked["folder"], *filter(None, path.split(os.pathsep))]  # as of `python -m`
    if path != PATH or str(SCRIPTS.parent / "Snakefile") not in asked["arguments"]:
        forget_xanesflow()  # the rules may be those of another copy
    sys.argv = ["snakemake", *asked["arguments"]]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    signal.alarm(asked["seconds"])
    printed = os.open(asked["printed"], os.O_WRONLY)
    for number, target in enumerate([os.open(os.devnull, os.O_RDONLY), printed, printed]):
        os.dup2(target, number)


if __name__ == "__main__":
    _serve()
