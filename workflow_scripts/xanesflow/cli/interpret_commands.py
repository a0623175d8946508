"""`xanesflow interpret` and its options. It imports its code only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

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
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", "-g", metavar="LABEL", help="A group of an Athena project; may be repeated.", show_default=False
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="ROLE=N,...", help="What the columns hold, as energy=1,i0=2,it=3.", show_default=False),
    ] = None,
    mode: Annotated[
        Literal["transmission", "fluorescence", "reference", "mu", "normalised"] | None,
        typer.Option(help="The signal to take, if the file has several.", show_default=False),
    ] = None,
    element: Annotated[
        str | None,
        typer.Option("--element", "-e", metavar="SYMBOL", help="The absorber, as Fe.", show_default=False),
    ] = None,
) -> None:
    """Read what a site is like from its spectrum: oxidation state, coordination, distances, with error bars.

    Spectra are aligned at half their step, never shifted to fit. A spectrum unlike all that was simulated is called
    foreign. Normalise difficult files with `xanesflow measured` first, and give its .csv.

    Example: xanesflow interpret scan.xdi --output site.csv
    """
    with report_errors():
        from xanesflow.cli.interpret import show_interpretation
        from xanesflow.measured import Normalisation, Reading

        show_interpretation(
            files,
            model,
            Reading(columns, mode, groups=tuple(group or ())),
            Normalisation(element=element),
            output=output,
            messages=messages(),
            results=results(),
        )
