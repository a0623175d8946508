"""Snakemake as `python -m snakemake` runs it, without importing it anew for each call, which takes most of a dry run.

A process that has imported Snakemake and what our rules import, and done nothing else, forks for each call; only what a call's own process does
and changes is then its own, as ever. The process ends with the tests that started it.
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
from tempfile import TemporaryDirectory

from forked_scripts import SCRIPTS, forget_xanesflow, imported_by, stand_in


def call(
    arguments: list[str], *, folder: Path, environment: dict[str, str], seconds: int, fork_scripts: bool = True
) -> tuple[int, str]:
    """Call Snakemake in a folder; its exit code, and what it printed.

    Args:
        arguments: of the command, after `snakemake`.
        folder: current folder of the call.
        environment: all of it.
        seconds: after which it is ended by a signal.
        fork_scripts: whether the rules' scripts are forked as well (forked_scripts.py), or started by Python itself.
    """
    with TemporaryDirectory() as temporary:
        printed = Path(temporary, "printed.txt")
        asked = {"arguments": arguments, "folder": str(folder), "environment": environment, "seconds": seconds}
        python = stand_in() if fork_scripts else sys.executable
        server = _server()
        server.stdin.write(json.dumps({**asked, "python": python, "printed": str(printed)}) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return code, printed.read_text()


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
        child = os.fork()
        if not child:
            _become_the_call(asked)
            sys.exit(main())
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become_the_call(asked: dict) -> None:
    import signal

    os.setsid()
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.executable = asked["python"]  # what scripts are started with
    sys.path[0] = asked["folder"]  # as of `python -m`
    if str(SCRIPTS.parent / "Snakefile") not in asked["arguments"]:
        forget_xanesflow()  # the rules may be those of another copy
    sys.argv = ["snakemake", *asked["arguments"]]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    signal.alarm(asked["seconds"])
    printed = os.open(asked["printed"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, target in enumerate([os.open(os.devnull, os.O_RDONLY), printed, printed]):
        os.dup2(target, number)


if __name__ == "__main__":
    _serve()
