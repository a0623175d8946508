"""`xanesflow interpret` and its options. It imports its code only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xanesflow.cli.measured_options import (
    E0,
    AbsorberElement,
    Columns,
    DSpacing,
    EnergyUnit,
    Groups,
    Mode,
    Post,
    Pre,
    normalise_options,
    read_options,
)
from xanesflow.cli.terminal import messages, report_errors, results


def interpret(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Measured spectra, as `xanesflow measured` reads them; tables of `xanesflow xanes`; xmu.dat.",
            show_default=False,
        ),
    ],
    *,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            metavar="FILE",
            help="An interpreter (results/interpretation/models/...); by default the one of this folder's campaign.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="All values with their bars, .csv.", show_default=False),
    ] = None,
    group: Groups = None,
    columns: Columns = None,
    mode: Mode = None,
    energy_unit: EnergyUnit = None,
    d_spacing: DSpacing = None,
    element: AbsorberElement = None,
    e0: E0 = None,
    pre: Pre = None,
    post: Post = None,
) -> None:
    """Read what a site is like from its spectrum: oxidation state, coordination, distances, with error bars.

    Spectra are aligned at half their step, never shifted to fit. A spectrum unlike all that was simulated is called
    foreign. Normalise difficult files with `xanesflow measured` first, and give its .csv.

    Example: xanesflow interpret scan.xdi --output site.csv
    """
    with report_errors():
        reading = read_options(columns=columns, mode=mode, energy_unit=energy_unit, d_spacing=d_spacing, group=group)
        normalisation = normalise_options(e0=e0, element=element, pre=pre, post=post)
        from xanesflow.cli.interpret import show_interpretation

        show_interpretation(
            files,
            model,
            reading,
            normalisation,
            output=output,
            messages=messages(),
            results=results(),
        )
