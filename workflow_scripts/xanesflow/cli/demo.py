"""`xanesflow demo`: runs the whole workflow on the example library and displays its progress."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from xanesflow.cli.run_progress import RunProgress, Stage
from xanesflow.cli.terminal import STOPPED, say
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import in_results
from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.foreign_yaml import parse_yaml
from xanesflow.core.sites import chunk_name
from xanesflow.core.source_tree import example_files, workflow_file, workflow_folder
from xanesflow.core.tables import read_csv, read_parquet
from xanesflow.core.text import clock, plural
from xanesflow.running import kill_on_exit
from xanesflow.running.locks import hold_directory

LOG = "demo.log"
"""File in the demo's folder for everything that Snakemake and the jobs print."""

_POLL = 0.1  # seconds
_EVERY = 15.0  # seconds between two lines on the simulations, without a terminal
_GRACE_S = 30.0  # seconds that Snakemake has to stop its jobs
_AFTER = 3.0  # seconds that jobs have to end after Snakemake has ended
_TAIL = 3  # lines of the log that are shown if no sentence says what happened
_PR_SET_CHILD_SUBREAPER = 36


def run_demo(directory: Path, *, cores: int | None, console: Console, errors: Console) -> int:
    """Run the demo campaign from structures to report, or the rest of it.

    Args:
        directory: folder for all files; made if missing.
        cores: number of cores to use; None: all.
        console: for progress and results.
        errors: for failures.

    Returns:
        Exit code: 0; 1 after a failure; 130 after a stop by Ctrl-C or SIGTERM.

    Raises:
        XanesflowError: the workflow's files are missing, the folder is in use, or `directory` is not a folder.
    """
    begin = time.monotonic()
    root = workflow_folder()
    profile, campaign_file = workflow_file("profiles/demo/config.yaml"), workflow_file("campaigns/demo.yaml")
    campaign = parse_yaml(campaign_file.read_text(encoding="utf-8"))
    try:
        held = hold_directory(directory)
    except (FileExistsError, NotADirectoryError):
        raise WrongCallError(f"{directory} is not a folder; name one with --directory.") from None
    with held:
        progress = RunProgress(names=_example_names())
        count_finished(progress, directory / paths.RESULTS, campaign["subsets"])
        _show(console, f"This runs the whole workflow on well-known structures. Everything goes into {directory}, "
                     f"all messages into {directory / LOG}.")  # fmt: skip
        command = [sys.executable, "-m", "snakemake", "--profile", str(profile.parent),
                   "--snakefile", str(root / "Snakefile"), "--configfile", str(campaign_file),
                   "--directory", str(directory.resolve()), *(["--cores", str(cores)] if cores else [])]  # fmt: skip
        stopped, code, tail = _follow(command, root, directory / LOG, progress, console)
        took = clock(time.monotonic() - begin)

    # Each way to end names what to do next.
    if stopped:
        _show(errors, "stopped; the same command continues where it was")
        return STOPPED
    if code:
        for sentence in progress.failures or [f"Snakemake ended with exit code {code}: {' | '.join(tail)}"]:
            _show(errors, sentence, style="red")
        _show(errors, f"The demo failed after {took}; all messages are in {directory / LOG}. Nothing is lost: the same "
                    "command continues where it was.", style="red")  # fmt: skip
        return 1
    if progress.nothing_to_do:
        _show(console, "There was nothing to do: an earlier run has made everything.")
    for sentence in summary(directory, campaign["campaign"], campaign["subsets"], took):
        _show(console, sentence)
    return 0


def count_finished(progress: RunProgress, results: Path, subsets: Sequence[str]) -> None:
    """Put into a progress how many sites an earlier run found and simulated."""
    for subset in subsets:
        if not (table := in_results(results, paths.SITES, subset=subset)).is_file():
            continue
        with suppress(OSError, XanesflowError):  # the workflow reports a broken table
            chunks = read_parquet(table, ["chunk"])["chunk"].value_counts()
            progress.sites[subset] = int(chunks.sum())
            for chunk, count in chunks.items():
                if in_results(results, paths.RUNS, subset=subset, chunk=chunk_name(int(str(chunk)))).is_file():
                    progress.simulated[subset, int(str(chunk))] = int(count)


def summary(directory: Path, campaign: str, subsets: Sequence[str], took: str) -> list[str]:
    """The results, one sentence or path each."""
    results = directory / paths.RESULTS
    sites = sum(len(read_parquet(in_results(results, paths.SITES, subset=name))) for name in subsets)
    left_out: Counter[str] = Counter()
    for subset in subsets:
        rejected = read_csv(in_results(results, paths.REJECTED_SPECTRA, subset=subset))
        left_out.update(rejected.loc[rejected["site_index"] >= 0, "reason"])
    number = left_out.total()
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
    return [
        f"{plural(sites, 'site was', 'sites were')} simulated: {plural(sites - number, 'spectrum', 'spectra')} kept, "
        + (f"{number} left out ({reasons})." if number else "none left out."),
        f"Total time: {took}.",
        f"Dataset: {in_results(results, paths.DATASET, campaign=campaign)}",
        f"Metrics: {in_results(results, paths.METRICS)}",
        f"Report:  {in_results(results, paths.REPORT)}",
        "So small a set says nothing about a model; it shows that the whole workflow works.",
    ]


class _Display:
    """Shows a progress; `update` is called often."""

    def __init__(self, progress: RunProgress, console: Console) -> None:
        self._progress, self._console = progress, console
        self._begin = progress.clock()
        self._given = [0, 0]

    def update(self) -> None:
        """Show what is new."""

    def _new_failures(self) -> list[str]:
        lists = (self._progress.site_failures, self._progress.failures)
        found = [sentence for given, each in zip(self._given, lists, strict=True) for sentence in each[given:]]
        self._given = [len(each) for each in lists]
        return found


class PlainLines(_Display):
    """Prints a line for each finished stage and each failure, and one for the simulations every quarter of a minute.

    Args:
        progress: what to show.
        console: to print on.
    """

    def __init__(self, progress: RunProgress, console: Console) -> None:
        super().__init__(progress, console)
        self._last = self._begin
        self._done: set[str] = set()

    def update(self) -> None:
        """Print what is new."""
        for sentence in self._new_failures():
            self._say(f"FAILED {sentence}")
        progress, now = self._progress, self._progress.clock()
        simulations = progress.stages["simulations"]
        if simulations.begin is not None and not simulations.done and now - self._last >= _EVERY:
            self._last = now
            self._say(f"simulations {_of(progress, simulations)} sites")
        for stage in progress.stages.values():
            if stage.done and stage.name not in self._done:
                self._done.add(stage.name)
                unit = " sites" if stage is simulations else ""
                self._say(f"{stage.name} done: {_of(progress, stage)}{unit}, took {_stage_clock(progress, stage)}")

    def _say(self, text: str) -> None:
        _show(self._console, f"{clock(self._progress.clock() - self._begin):>5}  {text}")


class LiveDisplay(_Display):
    """Draws a line for each stage, the last event and the time again and again, below the failures.

    Args:
        progress: what to show.
        console: to draw on; failures are printed to it.
    """

    def update(self) -> None:
        """Print new failures; rich draws the rest."""
        for sentence in self._new_failures():
            _show(self._console, f"✗ {sentence}", style="red")

    def __rich__(self) -> Group:
        """The display at this moment."""
        progress = self._progress
        table = Table.grid(padding=(0, 1))
        for justify in ("left", "left", "left", "right", "right"):
            table.add_column(justify=justify, no_wrap=True)
        for stage in progress.stages.values():
            table.add_row(*_mark(progress, stage), _bar(progress, stage), *_counts(progress, stage))
        last = Text(progress.last or "Snakemake plans the jobs", style="dim", no_wrap=True, overflow="ellipsis")
        return Group(table, last, Text(f"{clock(progress.clock() - self._begin)} in total", style="bold"))


def _follow(
    command: list[str], root: Path, log: Path, progress: RunProgress, console: Console
) -> tuple[bool, int, list[str]]:
    """Run Snakemake and show its progress; nothing that it started runs on afterwards.

    Returns:
        Whether it was stopped, its exit code, and the last lines that it printed.
    """
    if sys.platform == "linux":  # processes that jobs leave behind become children of this one, which ends them
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    tail: list[str] = []
    with log.open("ab") as written, log.open("rb") as read, _asked_to_stop() as asked:
        written.write(f"=== {datetime.now():%Y-%m-%d %H:%M:%S} {' '.join(command)}\n".encode())
        written.flush()
        read.seek(0, os.SEEK_END)
        lines = _Lines(read)
        # The output goes into a file, not a pipe, so it is complete whatever happens to this process. Snakemake gets a
        # separate process group, so only this process gets the terminal's Ctrl-C, and passes it on.
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, process_group=0
        )
        passed_on: float | None = None
        try:
            with _shown(progress, console) as shown:
                running = True
                while running:
                    # Read what is new, and once more after Snakemake has ended.
                    running = process.poll() is None
                    for line in lines.new():
                        tail = [*tail, line.strip()][-_TAIL:] if line.strip() else tail
                        if not asked:  # messages of a stopped job are not failures
                            progress.feed(line)
                    if not running and not asked:
                        progress.close()
                    shown.update()
                    # The first signal goes to Snakemake, which ends its jobs; a second one, or too long a wait, kills.
                    if asked and passed_on is None:
                        passed_on = time.monotonic()
                        progress.last = "stopping; finished work is kept"
                        with suppress(ProcessLookupError):
                            os.killpg(process.pid, signal.SIGINT)
                    elif len(asked) > 1 or (passed_on and time.monotonic() - passed_on > _GRACE_S):
                        kill_on_exit.end_all(process.pid)
                    if running:
                        time.sleep(_POLL)
        finally:
            _end_rest(process, grace_s=_AFTER if asked else 0.0)
    return bool(asked), process.wait(), tail


def _end_rest(process: subprocess.Popen[bytes], *, grace_s: float) -> None:
    """Wait for the processes that Snakemake left running, then end them."""
    deadline = time.monotonic() + grace_s
    while sys.platform == "linux" and kill_on_exit.descendants(os.getpid()) and time.monotonic() < deadline:
        time.sleep(_POLL)
    kill_on_exit.end_all(process.pid)


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """Collect the signals that ask this process to stop in a list, instead of stopping at once.

    Since this process handles them, Snakemake starts with their default action even if a shell made this process
    ignore them.
    """
    asked: list[int] = []

    def note(number: int, _: Any) -> None:
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(progress: RunProgress, console: Console) -> Iterator[_Display]:
    """The display that suits the console."""
    if not _is_terminal(console) or console.is_dumb_terminal:
        yield PlainLines(progress, console)
        return
    display = LiveDisplay(progress, console)
    with Live(display, console=console, refresh_per_second=5):
        yield display


def _is_terminal(console: Console) -> bool:
    """Whether the console is a real terminal; FORCE_COLOR, which CI sets, does not count."""
    return console.is_terminal and console.file.isatty()


def _show(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence as `say` does, but without control characters if there is no terminal."""
    if _is_terminal(console):
        say(console, sentence, style)
    else:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


class _Lines:
    """Returns the complete lines that were written to a file since the last call."""

    def __init__(self, opened: BinaryIO) -> None:
        self._opened, self._rest = opened, b""

    def new(self) -> list[str]:
        *lines, self._rest = (self._rest + self._opened.read()).split(b"\n")
        return [line.decode("utf-8", errors="replace") for line in lines]


def _mark(progress: RunProgress, stage: Stage) -> tuple[Text, Text]:
    if stage.failed:
        return Text("✗", "red"), Text(stage.name, "red")
    if stage.done or _was_there(progress, stage):
        return Text("✓", "green"), Text(stage.name)
    return (Text("▸", "cyan"), Text(stage.name, "bold")) if stage.begin is not None else (Text(" "), Text(stage.name))


def _bar(progress: RunProgress, stage: Stage) -> ProgressBar:
    done, total = _numbers(progress, stage)
    if _was_there(progress, stage):
        done = total = 1
    one = stage.begin is not None and not stage.done and not stage.failed and total == 1
    return ProgressBar(total=max(total, 1), completed=done, width=30, pulse=one)


def _counts(progress: RunProgress, stage: Stage) -> tuple[str, str]:
    if _was_there(progress, stage):
        return "done before", ""
    total = stage.jobs or (stage.name == "simulations" and progress.sites_total)
    unit = " sites" if stage.name == "simulations" else ""
    return f"{_of(progress, stage)}{unit}" if total else "", _stage_clock(progress, stage)


def _of(progress: RunProgress, stage: Stage) -> str:
    """`23 of 66`, with a plus as long as the total may grow."""
    done, total = _numbers(progress, stage)
    more = "" if stage.name != "simulations" or progress.sites_known else "+"
    return f"{done} of {total}{more}"


def _numbers(progress: RunProgress, stage: Stage) -> tuple[int, int]:
    if stage.name == "simulations":
        return progress.sites_done, progress.sites_total
    return stage.ended, stage.jobs


def _was_there(progress: RunProgress, stage: Stage) -> bool:
    return progress.planned and not stage.jobs


def _stage_clock(progress: RunProgress, stage: Stage) -> str:
    if stage.begin is None:
        return ""
    return clock((progress.clock() if stage.end is None else stage.end) - stage.begin)


def _example_names() -> dict[str, str]:
    """Names to display for the examples: `fe2o3-hematite` -> `Fe2O3 hematite`."""
    names = {}
    # `load_examples` would take seconds, and check what is not shown here.
    for path in example_files():
        for entry in parse_yaml(path.read_text(encoding="utf-8")):
            names[entry["id"]] = " ".join([entry["formula"], *entry["id"].split("-")[1:]])
    return names
