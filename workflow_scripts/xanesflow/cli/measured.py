"""`xanesflow measured`: reads and normalises files, shows a table and remarks, and writes spectra and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from xanesflow.cli.check_written import check_written
from xanesflow.cli.options import HowToRead
from xanesflow.cli.terminal import print_message, print_result, results
from xanesflow.core.errors import WrongCallError
from xanesflow.core.files import check_plot
from xanesflow.core.text import plural
from xanesflow.measured import MeasuredSpectrum, merge_spectra, read_measured
from xanesflow.measured.describe_spectrum import describe_noise, describe_spectrum
from xanesflow.measured.foreign_file import on_one_line
from xanesflow.measured.write_measured import check_output, write_spectra


def show_measured(
    files: Sequence[Path], how: HowToRead, *, merge: bool, output: Path | None, plot: Path | None
) -> None:
    """Read, normalise, show and write measured spectra.

    Raises:
        XanesflowError: a file cannot be used, or a result cannot be written.
    """
    expected = 1 if merge else len(files)
    check_written(((output, lambda path: check_output(path, expected)), (plot, check_plot)), files)
    spectra = [spectrum for file in files for spectrum in read_measured(file, *how)]
    if merge:
        if len(spectra) < 2:
            raise WrongCallError("--merge needs at least two spectra; give more files or groups, or leave it out.")
        count = len(spectra)
        spectra = [merge_spectra(spectra, how.normalisation)]
        print_message(f"{plural(count, 'scan')} merged")

    results().print(_table(spectra))
    for spectrum in spectra:
        for remark in spectrum.remarks:
            print_message(f"{spectrum.source}: {remark}" if len(spectra) > 1 else remark, style="yellow")

    # Files are written last, so that an error there does not hide the table.
    if output is not None:
        write_spectra(output, spectra)
        print_result(str(output))
    if plot is not None:
        from xanesflow.measured.draw import draw_spectra  # loads matplotlib

        draw_spectra(plot, spectra)
        print_result(str(plot))


def _table(spectra: Sequence[MeasuredSpectrum]) -> Table:
    """A column of values for one spectrum, or a row for each of several."""
    if len(spectra) == 1:
        table = Table(show_header=False, title=escape(on_one_line(spectra[0].source)), title_justify="left")
        table.add_column(style="bold")
        table.add_column()
        for name, value in describe_spectrum(spectra[0]):
            table.add_row(name, escape(value))
        return table
    table = Table("file", "edge", "E0 (eV)", "edge step", "noise", "points")
    for each in spectra:
        table.add_row(
            escape(on_one_line(each.source, 48)),
            f"{each.element} {each.edge}",
            f"{each.e0_ev:.2f}",
            f"{each.edge_step:.4g}",
            describe_noise(each.parameters["noise"], of=""),
            str(len(each.energy_ev)),
        )
    return table
