"""`xanesflow measured` and its options. It imports its code only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xanesflow.cli.measured_options import (
    E0,
    AbsorberElement,
    Columns,
    Decimal,
    DSpacing,
    Edge,
    EnergyUnit,
    Exclude,
    Groups,
    Mode,
    Order,
    Plot,
    Post,
    Pre,
    normalise_options,
    read_options,
)
from xanesflow.cli.terminal import messages, report_errors, results


def measured(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="XDI, Athena projects (.prj), .nor, or text in columns.",
            show_default=False,
        ),
    ],
    *,
    group: Groups = None,
    columns: Columns = None,
    mode: Mode = None,
    energy_unit: EnergyUnit = None,
    d_spacing: DSpacing = None,
    decimal: Decimal = None,
    element: AbsorberElement = None,
    edge: Edge = None,
    e0: E0 = None,
    pre: Pre = None,
    post: Post = None,
    order: Order = None,
    exclude: Exclude = None,
    merge: Annotated[bool, typer.Option("--merge", help="Average the files or groups: repeats of one scan.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The spectrum: .csv, or .json with everything.", show_default=False
        ),
    ] = None,
    plot: Plot = None,
) -> None:
    """Read measured spectra and normalise them. If a file can be read in several ways, the error says how to choose.

    Example: xanesflow measured scan.xdi --output scan.csv --plot scan.png
    """
    with report_errors():
        reading = read_options(
            columns=columns, mode=mode, energy_unit=energy_unit, d_spacing=d_spacing, decimal=decimal, group=group,
            exclude=exclude,
        )  # fmt: skip
        normalisation = normalise_options(e0=e0, element=element, edge=edge, pre=pre, post=post, order=order)
        from xanesflow.cli.measured import show_measured

        show_measured(
            files,
            reading,
            normalisation,
            merge=merge,
            output=output,
            plot=plot,
            messages=messages(),
            results=results(),
        )
