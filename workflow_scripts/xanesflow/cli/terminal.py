"""What the commands share: two consoles, and how a user's mistake, a stop and a fault of ours end."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

from rich.console import Console

from xanesflow.core.errors import WrongCallError, XanesflowError

STOPPED = 130  # 128 + SIGINT, as shells have it

_WIDTH = 120  # of what does not go to a terminal


def messages() -> Console:
    """The console for progress, remarks and errors."""
    return _console(stderr=True)


def results() -> Console:
    """The console for what was asked for."""
    return _console(stderr=False)


def say(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence as it is: brackets are no markup, and it stays on one line where it is not shown to a person."""
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)


@contextmanager
def report_errors() -> Iterator[None]:
    """End the program with one sentence on a mistake that the user can mend.

    Exit code 2 after a wrong call, 130 after Ctrl-C, 1 after anything else; only a fault of ours has a traceback.
    """
    try:
        yield
    except WrongCallError as error:
        _end(str(error), 2)
    except XanesflowError as error:
        _end(str(error), 1)
    except BrokenPipeError:  # `| head`
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _end(f"The system said: {error.strerror or error}{where}; mend that and try again.", 1)
    except KeyboardInterrupt:
        say(messages(), "stopped")
        sys.exit(STOPPED)
    except Exception:
        say(messages(), traceback.format_exc())
        _end("This is a fault of xanesflow, not of yours; please report it.", 1)


def _end(sentence: str, code: int) -> None:
    say(messages(), sentence, style="red")
    sys.exit(code)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, TextIOWrapper):
        with suppress(ValueError):  # a terminal without Å shows a question mark
            stream.reconfigure(errors="replace")
    console = Console(file=stream)
    if not console.is_terminal:
        console.width = max(_WIDTH, console.width)
    return console
