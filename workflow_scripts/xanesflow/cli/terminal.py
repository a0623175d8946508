"""Shared by the commands: two consoles, and how the program ends after a mistake, a stop or a fault of xanesflow."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.text import Text

from xanesflow.core.errors import WrongCallError, XanesflowError, sentence_about
from xanesflow.core.text import listing, without_controls

STOPPED = 130  # 128 + SIGINT, the convention of shells

_WIDTH = 120  # columns of output that does not go to a terminal


def messages() -> Console:
    """The console for progress, remarks and errors."""
    return _console(sys.stderr)


def results() -> Console:
    """The console for the results of a command."""
    return _console(sys.stdout)


def print_message(sentence: str, style: str | None = None) -> None:
    """Print a sentence on what is done, a remark or an error; see `say`."""
    say(messages(), sentence, style)


def print_written(written: Sequence[Path], there: Collection[Path]) -> None:
    """Print the files that were written, and which of them replaced one of those that were `there` before."""
    if replaced := [path.name for path in written if path in there]:
        print_message(f"Replaced what was there before: {listing(replaced)}.", style="yellow")
    for path in written:
        print_result(str(path))


def print_result(sentence: str, style: str | None = None) -> None:
    """Print a sentence that is a result; see `say`."""
    say(results(), sentence, style)


def say(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence literally: brackets are not markup, and without a terminal it stays on one line."""
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def progress_bar(*columns: ProgressColumn, wanted: bool = True, console: Console | None = None) -> Progress:
    """A bar beside the messages, which disappears when its block ends; shown on a terminal only."""
    console = console or messages()
    return Progress(*columns, console=console, transient=True, disable=not wanted or not console.is_terminal)


@contextmanager
def report_errors() -> Iterator[None]:
    """End the program with one sentence about a mistake that the user can fix.

    Exit code 2 after a wrong call, 130 after Ctrl-C, 1 after anything else. Only a fault of xanesflow shows a
    traceback.
    """
    try:
        yield
    except WrongCallError as error:
        _end(str(error), 2)
    except XanesflowError as error:
        _end(str(error), 1)
    except BrokenPipeError:  # `| head`
        sys.exit(1)
    except (OSError, MemoryError) as error:
        _end(sentence_about(error, full_path=True), 1)
    except KeyboardInterrupt:
        print_message("stopped")
        sys.exit(STOPPED)
    except Exception:
        print_message(traceback.format_exc())
        _end("This is a fault of xanesflow, not of yours; please report it.", 1)


@contextmanager
def report_input_errors() -> Iterator[None]:
    """As `report_errors`, with exit code 2 for every mistake that the user can fix."""
    with report_errors():
        try:
            yield
        except XanesflowError as error:
            raise WrongCallError(str(error)) from None


class _SafeConsole(Console):
    """A console on which text of files cannot steer the terminal: escapes in a title, a version or an id."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Render text of a message or of a table's cell."""
        return super().render_str(without_controls(text), **options)


def _end(sentence: str, code: int) -> None:
    print_message(sentence, style="red")
    sys.exit(code)


@lru_cache(maxsize=2)
def _console(stream: TextIO) -> Console:
    """The one console of a stream, so that what is printed and a progress bar do not disturb each other."""
    if isinstance(stream, TextIOWrapper):
        with suppress(ValueError):  # a terminal without Å shows a question mark
            stream.reconfigure(errors="replace")
    console = _SafeConsole(file=stream)
    if not console.is_terminal:
        console.width = max(_WIDTH, console.width)
    return console
