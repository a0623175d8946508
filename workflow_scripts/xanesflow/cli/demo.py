"""The demonstration: the whole workflow on the example library, with a display of how far it is."""

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
from typing import Any, BinaryIO, Protocol

import yaml
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from xanesflow.cli.run_progress import RunProgress, Stage
from xanesflow.cli.terminal import STOPPED, say
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import in_results
from xanesflow.core.errors import WrongCallError
from xanesflow.core.sites import chunk_name
from xanesflow.core.source_tree import example_files, workflow_file, workflow_folder
from xanesflow.core.text import clock
from xanesflow.running import kill_on_exit
from xanesflow.running.locks import hold_directory

LOG = "demo.log"
"""File in the demo's folder for all that Snakemake and the jobs print."""

_POLL = 0.1  # seconds
_EVERY = 15.0  # seconds from one line on the simulations to the next, where there is no terminal
_GRACE_S = 30.0  # seconds that Snakemake has to stop its jobs
_AFTER = 3.0  # seconds that jobs have to end once Snakemake has
_TAIL = 3  # lines of the log that are shown where no sentence tells what happened
_PR_SET_CHILD_SUBREAPER = 36


def run_demo(directory: Path, *, cores: int | None, console: Console, errors: Console) -> int:
    """Run the demo campaign from structures to report, or what is left of it.

    Args:
        directory: folder for everything; made if missing.
        cores: that it may use; None: all.
        console: for progress and results.
        errors: for what went wrong.

    Returns:
        Exit code: 0; 1 after a failure; 130 after a stop by Ctrl-C or SIGTERM.

    Raises:
        XanesflowError: the source tree is not there, or the folder is in use or none.
    """
    begin = time.monotonic()
    root = workflow_folder()
    profile, campaign_file = workflow_file("profiles/demo/config.yaml"), workflow_file("campaigns/demo.yaml")
    campaign = yaml.safe_load(campaign_file.read_text(encoding="utf-8"))
    try:
        held = hold_directory(directory)
    except (FileExistsError, NotADirectoryError):
        raise WrongCallError(f"{directory} is not a folder; name one with --directory.") from None
    with held:
        progress = RunProgress(names=_example_names())
        count_finished(progress, directory / paths.RESULTS, campaign["subsets"])
        _tell(console, f"The whole workflow on well-known structures; everything goes into {directory}, "
                     f"all messages into {directory / LOG}.")  # fmt: skip
        command = [sys.executable, "-m", "snakemake", "--profile", str(profile.parent),
                   "--snakefile", str(root / "Snakefile"), "--configfile", str(campaign_file),
                   "--directory", str(directory.resolve()), *(["--cores", str(cores)] if cores else [])]  # fmt: skip
        stopped, code, tail = _follow(command, root, directory / LOG, progress, console)
        took = clock(time.monotonic() - begin)
    if stopped:
        _tell(errors, "stopped; the same command goes on where it was")
        return STOPPED
    if code:
        for sentence in progress.failures or [f"Snakemake ended with exit code {code}: {' | '.join(tail)}"]:
            _tell(errors, sentence, style="red")
        _tell(errors, f"The demo failed after {took}; all messages are in {directory / LOG}. Nothing is lost: the same "
                    "command goes on where it was.", style="red")  # fmt: skip
        return 1
    if progress.nothing_to_do:
        _tell(console, "Nothing was to do: all was there from an earlier run.")
    for sentence in summary(directory, campaign["campaign"], campaign["subsets"], took):
        _tell(console, sentence)
    return 0


def count_finished(progress: RunProgress, results: Path, subsets: Sequence[str]) -> None:
    """Tell a progress how many sites there are, and were simulated, after an earlier run."""
    for subset in subsets:
        if not (table := in_results(results, paths.SITES, subset=subset)).is_file():
            continue
        import pandas as pd  # takes a second to load

        with suppress(OSError, ValueError):  # a broken one: the workflow tells
            chunks = pd.read_parquet(table, columns=["chunk"])["chunk"].value_counts()
            progress.sites[subset] = int(chunks.sum())
            for chunk, count in chunks.items():
                if in_results(results, paths.RUNS, subset=subset, chunk=chunk_name(int(str(chunk)))).is_file():
                    progress.simulated[subset, int(str(chunk))] = int(count)


def summary(directory: Path, campaign: str, subsets: Sequence[str], took: str) -> list[str]:
    """What came out, a sentence or path each."""
    import pandas as pd

    results = directory / paths.RESULTS
    sites = sum(len(pd.read_parquet(in_results(results, paths.SITES, subset=name))) for name in subsets)
    left_out: Counter[str] = Counter()
    for subset in subsets:
        rejected = pd.read_csv(in_results(results, paths.REJECTED_SPECTRA, subset=subset))
        left_out.update(rejected.loc[rejected["site_index"] >= 0, "reason"])
    number = left_out.total()
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
    return [
        f"{sites} sites were simulated: {sites - number} spectra kept, "
        + (f"{number} left out ({reasons})." if number else "none left out."),
        f"Total time: {took}.",
        f"Dataset: {in_results(results, paths.DATASET, campaign=campaign)}",
        f"Metrics: {in_results(results, paths.METRICS)}",
        f"Report:  {in_results(results, paths.REPORT)}",
        "So small a set judges no model; it shows that the whole way works.",
    ]


class Shown(Protocol):
    """Shows a progress; `update` is called often."""

    def update(self) -> None:
        """Show what is new."""


class PlainLines:
    """A line for each finished stage, for each failure, and for the simulations every quarter of a minute.

    Args:
        progress: what is shown.
        console: where.
    """

    def __init__(self, progress: RunProgress, console: Console) -> None:
        self._progress, self._console = progress, console
        self._begin = self._last = progress.clock()
        self._failures = _Failures(progress)
        self._done: set[str] = set()

    def update(self) -> None:
        """Print what is new."""
        for sentence in self._failures.new():
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
        _tell(self._console, f"{clock(self._progress.clock() - self._begin):>5}  {text}")


class LiveDisplay:
    """A line for each stage, the last thing that happened and the time, drawn again and again; failures above it.

    Args:
        progress: what is shown.
        console: where; failures are printed to it.
    """

    def __init__(self, progress: RunProgress, console: Console) -> None:
        self._progress, self._console, self._begin = progress, console, progress.clock()
        self._failures = _Failures(progress)

    def update(self) -> None:
        """Print failures; the rest is drawn by itself."""
        for sentence in self._failures.new():
            _tell(self._console, f"✗ {sentence}", style="red")

    def __rich__(self) -> Group:
        """What is drawn."""
        progress = self._progress
        table = Table.grid(padding=(0, 1))
        for justify in ("left", "left", "left", "right", "right"):
            table.add_column(justify=justify, no_wrap=True)
        for stage in progress.stages.values():
            table.add_row(*_mark(progress, stage), _bar(progress, stage), *_counts(progress, stage))
        last = Text(progress.last or "Snakemake looks what is to do", style="dim", no_wrap=True, overflow="ellipsis")
        return Group(table, last, Text(f"{clock(progress.clock() - self._begin)} altogether", style="bold"))


class _Failures:
    """Gives the failures of a progress that it has not given yet."""

    def __init__(self, progress: RunProgress) -> None:
        self._progress, self._given = progress, [0, 0]

    def new(self) -> list[str]:
        lists = (self._progress.site_failures, self._progress.failures)
        found = [sentence for given, each in zip(self._given, lists, strict=True) for sentence in each[given:]]
        self._given = [len(each) for each in lists]
        return found


def _follow(
    command: list[str], root: Path, log: Path, progress: RunProgress, console: Console
) -> tuple[bool, int, list[str]]:
    """Run Snakemake and show how far it is; nothing that it started goes on afterwards.

    Returns:
        Whether it was stopped, its exit code, and the last lines that it printed.
    """
    if sys.platform == "linux":  # what the jobs leave behind falls to this process, which ends it
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    tail: list[str] = []
    with log.open("ab") as written, log.open("rb") as read, _asked_to_stop() as asked:
        written.write(f"=== {datetime.now():%Y-%m-%d %H:%M:%S} {' '.join(command)}\n".encode())
        written.flush()
        read.seek(0, os.SEEK_END)
        lines = _Lines(read)
        # A file, not a pipe: all is in it whatever happens to this process. A group of its own: only this process
        # gets the terminal's Ctrl-C, and passes it on.
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, process_group=0
        )
        passed_on: float | None = None
        try:
            with _shown(progress, console) as shown:
                running = True
                while running:
                    running = process.poll() is None
                    for line in lines.new():
                        tail = [*tail, line.strip()][-_TAIL:] if line.strip() else tail
                        if not asked:  # what a stopped job says is no failure
                            progress.feed(line)
                    if not running and not asked:
                        progress.close()
                    shown.update()
                    if asked and passed_on is None:
                        passed_on = time.monotonic()
                        progress.last = "stopping; what is finished is kept"
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
    """Wait for what Snakemake left at work, then end it."""
    deadline = time.monotonic() + grace_s
    while sys.platform == "linux" and kill_on_exit.descendants(os.getpid()) and time.monotonic() < deadline:
        time.sleep(_POLL)
    kill_on_exit.end_all(process.pid)


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """A list that gets the signals that ask this process to stop, instead of their stopping it at once.

    They are handled, so Snakemake starts with their default action even where a shell made this process ignore them.
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
def _shown(progress: RunProgress, console: Console) -> Iterator[Shown]:
    """The display that suits where the console goes to."""
    if not _is_terminal(console) or console.is_dumb_terminal:
        yield PlainLines(progress, console)
        return
    display = LiveDisplay(progress, console)
    with Live(display, console=console, refresh_per_second=5):
        yield display


def _is_terminal(console: Console) -> bool:
    """Whether a person looks at it; FORCE_COLOR, which CI sets, does not make it one."""
    return console.is_terminal and console.file.isatty()


def _tell(console: Console, sentence: str, style: str | None = None) -> None:
    """`say`, without any control character where there is no terminal."""
    if _is_terminal(console):
        say(console, sentence, style)
    else:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


class _Lines:
    """Gives the whole lines that a file got since the last call."""

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
        return "there before", ""
    total = stage.jobs or (stage.name == "simulations" and progress.sites_total)
    unit = " sites" if stage.name == "simulations" else ""
    return f"{_of(progress, stage)}{unit}" if total else "", _stage_clock(progress, stage)


def _of(progress: RunProgress, stage: Stage) -> str:
    """`23 of 66`; with a plus as long as more may come."""
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
    """What to call the examples: `fe2o3-hematite` -> `Fe2O3 hematite`."""
    names = {}
    # The library's own reader takes seconds to load, and checks what is not shown here.
    for path in example_files():
        for entry in yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            names[entry["id"]] = " ".join([entry["formula"], *entry["id"].split("-")[1:]])
    return names
