"""Rules' scripts as Snakemake starts them, without importing the libraries anew for each, which takes most of a job.

Snakemake starts a script as `<sys.executable> <script>`. `stand_in()` is a program to be named there: it hands the
script to a process that has imported what the scripts import and nothing else, which forks for each script; only what
a script's own process does and changes is then its own, as ever. Anything else it gives to Python itself. A script of
another copy of the workflow imports that copy's xanesflow.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from types import ModuleType

from filelock import FileLock

LIBRARIES = (
    "chgnet.model",
    "h5py",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "pymatgen.analysis.local_env",
    "safetensors.torch",
    "scipy.stats",
    "sklearn.decomposition",
    "snakemake.script",
    "torch._dynamo",  # an optimiser imports it when it first steps
    "umap",
)
"""What many scripts import."""

PATH = os.environ.get("PYTHONPATH", "")
"""What this process was started with."""

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"

STAND_IN = """#!{python} -IS
import json, os, socket, sys
if len(sys.argv) != 2 or not sys.argv[1].endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as asking:
    asking.connect({address!r})
    asked = json.dumps({{"script": sys.argv[1], "folder": os.getcwd(), "environment": dict(os.environ)}})
    socket.send_fds(asking, [asked.encode() + b"\\n"], [0, 1, 2])
    code = int(asking.makefile().readline() or 1)
sys.exit(code) if code >= 0 else os.kill(os.getpid(), -code)
"""


def imported_by(folder: Path, pattern: str = "*.py") -> list[str]:
    """Modules of xanesflow that the files of a folder import."""
    text = "\n".join(path.read_text() for path in folder.glob(pattern))
    return sorted(set(re.findall(r"^from (xanesflow[\w.]*) import", text, re.MULTILINE)))


def forget_xanesflow() -> None:
    """Have it imported anew, from wherever it is found first, with what other packages on the path add to it."""
    for name in [name for name in sys.modules if name.split(".")[0] == "xanesflow"]:
        del sys.modules[name]


@cache
def stand_in() -> str:
    """Path of the program, whose other half serves all processes that share the tests, and ends with them."""
    shared = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    tests = os.getppid() if shared else os.getpid()
    folder = Path(gettempdir(), f"xanesflow-scripts-{shared}") if shared else Path(mkdtemp(prefix="xanesflow-scripts-"))
    address, program = str(folder / "scripts"), folder / "python"
    with FileLock(folder.with_suffix(".lock")):
        if not program.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            command = [sys.executable, __file__, address, str(tests)]
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            server.stdout.readline()  # it listens
            program.write_text(STAND_IN.format(python=sys.executable, address=address))
            program.chmod(0o755)
    return str(program)


def _serve(address: str, tests: int) -> None:
    """Answer until the process of all tests has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ended = os.pidfd_open(tests)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        sys.stdout.write("\n")
        sys.stdout.flush()
        for library in [*LIBRARIES, *imported_by(SCRIPTS)]:
            import_module(library)
        gc.freeze()  # the collector would touch, and so copy, all that the processes share
        while ended not in select.select([listening, ended], [], [])[0]:
            asking, _ = listening.accept()
            if not os.fork():
                listening.close()
                _answer(asking)
            asking.close()
    folder = Path(address).parent
    shutil.rmtree(folder)
    folder.with_suffix(".lock").unlink()


def _answer(asking: socket.socket) -> None:
    """Run the script in a process of its own and tell its exit code; does not return.

    The process joins the group of who asks, as a script started by it would, so that what kills the group kills it; in
    another session (forked_snakemake.py) it cannot.
    """
    asker = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0]
    words, streams, _, _ = socket.recv_fds(asking, 2**20, 3)
    while not words.endswith(b"\n"):
        words += asking.recv(2**20)
    asked = json.loads(words)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    group = os.getpgid(asker) if os.getsid(asker) == os.getsid(0) else os.getpgid(0)
    child = os.fork()
    if child:
        # Who asked may be ended meanwhile; then the script has nobody to run for.
        if asking in select.select([asking, os.pidfd_open(child)], [], [])[0]:
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asking.send(f"{code}\n".encode())
        os._exit(0)
    os.setpgid(0, group)
    asking.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    code = _run(asked["script"])
    # As Python ends, but for taking all libraries down piece by piece: seconds, in memory that is shared until then.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(script: str) -> int:
    """Run a script as `python script` does; its exit code."""
    source = Path(script).read_text(encoding="utf-8")
    told = re.search(r"__real_file__ = __file__; __file__ = (['\"])(.*?)\1;", source)  # by Snakemake
    path = os.environ.get("PYTHONPATH", "")
    if path != PATH or told is None or Path(told[2]).resolve().parent != SCRIPTS.resolve():
        forget_xanesflow()
    sys.argv = [script]
    sys.path[:1] = [str(Path(script).parent), *filter(None, path.split(os.pathsep))]
    sys.modules["__main__"] = module = ModuleType("__main__")
    module.__file__ = script
    try:
        exec(compile(source, script, "exec"), module.__dict__)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
