"""`xanesflow match`: reads the scans, gets the candidates' spectra, shows and writes the ranking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.progress import TaskID
from rich.table import Table

from xanesflow.cli.check_written import check_written
from xanesflow.cli.options import HowToRead
from xanesflow.cli.terminal import print_message, print_result, progress_bar, results
from xanesflow.core.errors import WrongCallError
from xanesflow.core.files import check_plot
from xanesflow.core.text import printable
from xanesflow.matching.each_scan import each_scan, is_series
from xanesflow.matching.get_references import Listener, Wanted, get_references, one_element
from xanesflow.matching.rank_candidates import Match, match_spectrum
from xanesflow.matching.write_match import check_page, write_matches
from xanesflow.measured import MeasuredSpectrum
from xanesflow.measured.read_measured import read_several
from xanesflow.measured.write_measured import check_output

_SHOWN = 10


@dataclass(frozen=True)
class Outputs:
    """Files to write; None: not that one."""

    output: Path | None = None
    page: Path | None = None
    plot: Path | None = None


def show_match(file: Path, wanted: Wanted, outputs: Outputs, how: HowToRead) -> None:
    """Match one scan or several, show the answers, and write them.

    Raises:
        XanesflowError: a scan or a candidate cannot be used, or a result cannot be written.
    """
    standards = map(Path, wanted.structures if wanted.measured else ())
    check_outputs(outputs, [file, *standards], wanted.structures)
    spectra = read_scans([file], how)
    element = one_element(spectra)
    series = is_series(file, spectra)
    if len(spectra) > 1 and outputs.page:
        raise WrongCallError(f"--page shows one spectrum, and there are {len(spectra)}; use --output and --plot.")
    with listening() as listener:
        references, calibration, left_out = get_references(element, wanted, listener)
    with progress_bar(wanted=len(spectra) > 1) as progress:
        matches = each_scan(
            progress.track(spectra, description="matching"),
            lambda spectrum: match_spectrum(spectrum, references, calibration, left_out=left_out, model=wanted.model),
            leave_out_scan,
        )
    if len(matches) == 1:
        _show_one(matches[0])
    else:
        _show_series(matches, left_out)
    _write(matches, outputs, series=series)


def read_scans(files: Sequence[Path], how: HowToRead) -> list[MeasuredSpectrum]:
    """The spectra of files and of the files of folders; of several, those that cannot be used are named.

    Raises:
        XanesflowError: there is no usable spectrum.
    """
    return read_several(files, *how, leave_out=lambda sentence: print_message(f"Left out: {sentence}", style="yellow"))


def leave_out_scan(_spectrum: MeasuredSpectrum, sentence: str) -> None:
    """Say of a scan that was read why it has no answer."""
    print_message(f"Left out: {sentence}", style="yellow")


@contextmanager
def listening() -> Iterator[Listener]:
    """Show what is said, and a bar while candidates are computed."""
    with progress_bar() as bar:
        tasks: list[TaskID] = []

        def progress(done: int, of: int) -> None:
            if not tasks:
                tasks.append(bar.add_task("computing", total=of))
            bar.update(tasks[0], completed=done)

        yield Listener(
            lambda sentence: print_message(sentence, style="bold"),
            lambda sentence: print_message(sentence, style="yellow"),
            progress,
        )


def check_outputs(outputs: Outputs, spectra: Sequence[Path], structures: Sequence[str] = ()) -> None:
    """As `check_written`; the structures are those of the command line."""
    checks = ((outputs.output, check_output), (outputs.page, check_page), (outputs.plot, check_plot))
    check_written(checks, spectra, list(map(Path, structures)))


def say_remarks(spectra: Sequence[MeasuredSpectrum]) -> None:
    """Say what is remarkable about scans."""
    said = [(each.source, remark) for each in spectra for remark in each.remarks]
    caution([f"About {'the scan' if len(spectra) == 1 else source}: {remark}" for source, remark in said])


def caution(sentences: Sequence[str], more: str = "; `xanesflow measured` shows them.") -> None:
    """Print the first of some sentences of warning, and how many more there are."""
    for sentence in sentences[:_SHOWN]:
        print_message(sentence, style="yellow")
    if len(sentences) > _SHOWN:
        print_message(f"… and {len(sentences) - _SHOWN} more{more}", style="yellow")


def _show_one(match: Match) -> None:
    say_remarks([match.spectrum])
    results().print(_table(match))
    if len(match.rows) > _SHOWN:
        print_result(f"… and {len(match.rows) - _SHOWN} more; --output writes all.")
    caution([f"Left out: {each}" for each in match.left_out], " left out; --output FILE.json lists all.")
    caution(match.warnings)
    print_result(match.conclusion, style="bold")


def _show_series(matches: Sequence[Match], left_out: Sequence[str]) -> None:
    say_remarks([match.spectrum for match in matches])
    results().print(_series_table(matches))
    more = "; --output FILE.json lists all."
    caution([f"Left out: {each}" for each in left_out], more)
    caution([f"{match.spectrum.source}: {each}" for match in matches for each in match.warnings], more)


def _table(match: Match) -> Table:
    table = Table(title=escape(printable(match.spectrum.source, 80)), title_justify="left")
    table.add_column("", justify="right")
    table.add_column("id", no_wrap=True)
    table.add_column("formula", no_wrap=True)
    table.add_column("name")
    for name in ("oxidation", "shift", "width", "RMS", "certainty"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in match.rows[:_SHOWN]:
        table.add_row(
            str(row.rank),
            escape(printable(row.reference.id, 40)),
            escape(row.reference.formula),
            escape(printable(row.reference.short_name, 32)),
            *row.cells,
        )
    return table


def _series_table(matches: Sequence[Match]) -> Table:
    table = Table("scan", "best candidate", "RMS", "certainty", "what can be said")
    for match in matches:
        first = match.rows[0]
        table.add_row(
            escape(printable(match.spectrum.source, 40)),
            escape(printable(first.reference.short_name, 40)),
            f"{first.likeness.rms:.3f}",
            f"{first.certainty:.0%}",
            escape(match.conclusion),
        )
    return table


def _write(matches: Sequence[Match], outputs: Outputs, *, series: bool) -> None:
    """Write the files last, so that an error there does not hide the answer."""
    if outputs.output is not None:
        write_matches(outputs.output, matches, series=series)
        print_result(str(outputs.output))
    if outputs.page is not None:
        from xanesflow.matching.match_page import write_page  # loads matplotlib

        write_page(outputs.page, matches[0])
        print_result(str(outputs.page))
    if outputs.plot is not None:
        from xanesflow.matching.draw_match import draw_matches  # loads matplotlib

        draw_matches(outputs.plot, matches)
        print_result(str(outputs.plot))
