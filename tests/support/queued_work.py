"""Work for tests of the queue: quick, slow, failing, and killed."""

import os
import signal
import subprocess
import sys
import time

from xanesflow.core.errors import XanesflowError


def add(work):
    work.say(0.5, "adding")
    (work.files / "sum.txt").write_text("a sum")
    return {"sum": work.given["a"] + work.given["b"]}


def read(work):
    """The text of the first file that was given."""
    with open(work.given["files"][0], encoding="utf-8") as opened:  # noqa: PTH123
        return {"text": opened.read()}


def sleep(work):
    """Show a first part, start a process, and wait; the process must not outlive this one."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], stdin=subprocess.DEVNULL)
    work.show({"pids": [os.getpid(), child.pid]})
    work.say(0.1, "sleeping")
    time.sleep(300)
    return {}


def refuse(work):
    raise XanesflowError("This cannot be used; give something else.")


def crash(work):
    raise ZeroDivisionError("by hand")


def fill_disk(work):
    raise OSError(28, "No space left on device", str(work.folder / "result.json"))


def die(work):
    os.kill(os.getpid(), signal.SIGKILL)


KINDS = {name: f"queued_work:{name}" for name in ("add", "read", "sleep", "refuse", "crash", "fill_disk", "die")}
