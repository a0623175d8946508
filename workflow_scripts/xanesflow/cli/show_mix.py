"""`xanesflow mix` and `xanesflow pca`: read scans, fit combinations or components, show and write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from xanesflow.cli.options import HowToRead
from xanesflow.cli.show_match import (
    Outputs,
    caution,
    check_outputs,
    leave_out_scan,
    listening,
    read_scans,
    say_remarks,
)
from xanesflow.cli.terminal import print_message, print_result, progress_bar, results
from xanesflow.core.text import plural, printable
from xanesflow.matching.components import find_components
from xanesflow.matching.each_scan import each_scan, is_series
from xanesflow.matching.get_references import get_standards, one_element
from xanesflow.matching.mixtures import MAX_SHIFT_EV, MixtureFit, cautions, fit_mixtures

_SHOWN = 10


@dataclass(frozen=True)
class MixWanted:
    """What to fit, and the files to write."""

    standards: tuple[str, ...]  # as on the command line
    most: int = 3  # largest number of standards in a combination
    sum_to_one: bool = False  # whether fractions must add up to 1
    max_shift: float = MAX_SHIFT_EV  # of measured standards, in eV
    computed: bool = False  # whether the standards are structures
    cache: Path | None = None  # of computed spectra
    output: Path | None = None  # table to write
    plot: Path | None = None  # figure to write


def show_mix(file: Path, wanted: MixWanted, how: HowToRead) -> None:
    """Fit combinations to one scan or several, show and write them.

    Raises:
        XanesflowError: a scan or standard cannot be used, or a result cannot be written.
    """
    standards_at = () if wanted.computed else map(Path, wanted.standards)
    check_outputs(Outputs(wanted.output, plot=wanted.plot), [file, *standards_at], wanted.standards)
    spectra = read_scans([file], how)
    element = one_element(spectra)
    with listening() as listener:
        standards, remark = get_standards(
            element, wanted.standards, listener,
            max_shift_ev=wanted.max_shift, computed=wanted.computed, cache=wanted.cache,
        )  # fmt: skip
    say_remarks(spectra)
    if remark:
        print_message(remark, style="yellow")
    with progress_bar() as progress:
        fits = each_scan(
            progress.track(spectra, description="fitting"),
            lambda spectrum: fit_mixtures(spectrum, standards, most=wanted.most, sum_to_one=wanted.sum_to_one),
            leave_out_scan,
        )
    lost = dict.fromkeys(each for fit in fits for each in fit.left_out)
    caution([f"Left out: {each}" for each in lost], " are left out.")
    caution(cautions(fits, "" if wanted.computed else ", or raise --max-shift"))
    results().print(_table(fits))
    if wanted.output is not None:
        from xanesflow.matching.write_mix import write_mixtures  # loads matplotlib

        write_mixtures(wanted.output, fits, remark, series=is_series(file, spectra))
        print_result(str(wanted.output))
    if wanted.plot is not None:
        from xanesflow.matching.write_mix import draw_mixtures  # loads matplotlib

        draw_mixtures(wanted.plot, fits)
        print_result(str(wanted.plot))


def show_pca(files: Sequence[Path], output: Path | None, plot: Path | None, how: HowToRead) -> None:
    """Find the principal components of scans, show and write them.

    Raises:
        XanesflowError: a scan cannot be used, or a result cannot be written.
    """
    check_outputs(Outputs(output, plot=plot), files)
    spectra = read_scans(files, how)
    say_remarks(spectra)
    found = find_components(spectra)
    table = Table("component", "share of the sum of squares", "indicator", "largest misfit of a scan")
    for k in range(found.shown):
        table.add_row(
            str(k + 1), f"{found.variance[k]:.3g}", f"{found.indicator[k]:.3g}", f"{found.misfit(k + 1).max():.4f}"
        )
    results().print(table)
    number = found.significant
    print_result(
        f"{plural(number, 'component')} {'is' if number == 1 else 'are'} above the noise of "
        f"{plural(len(spectra), 'scan')}.",
        style="bold",
    )
    if output is not None:
        from xanesflow.matching.write_mix import write_components  # loads matplotlib

        write_components(output, found)
        print_result(str(output))
    if plot is not None:
        from xanesflow.matching.write_mix import draw_components  # loads matplotlib

        draw_components(plot, found)
        print_result(str(plot))


def _table(fits: Sequence[MixtureFit]) -> Table:
    """The best combinations of one scan, or the best of each of several."""
    if len(fits) == 1:
        table = Table("", "standards", "fractions (95 %)", "shifts (eV)", "RMS", "criterion")
        for mixture in fits[0].mixtures[:_SHOWN]:
            table.add_row(str(mixture.rank), *map(escape, mixture.cells))
        return table
    table = Table("scan", "standards", "fractions (95 %)", "shifts (eV)", "RMS", "criterion")
    for fit in fits:
        table.add_row(escape(printable(fit.spectrum.source, 40)), *map(escape, fit.mixtures[0].cells))
    return table
