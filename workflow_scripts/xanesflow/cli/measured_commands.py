"""`xanesflow measured` and its options. It imports its code only when it runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from xanesflow.cli.terminal import messages, report_errors, results
from xanesflow.core.errors import WrongCallError


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
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", "-g", metavar="LABEL", help="A group of an Athena project; may be repeated.", show_default=False
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE=N,...",
            help="What the columns hold, as energy=1,i0=2,it=3; also if, ir, mu, norm, angle; sums as if=4+5.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        Literal["transmission", "fluorescence", "reference", "mu", "normalised"] | None,
        typer.Option(help="The signal to take, if the file has several.", show_default=False),
    ] = None,
    energy_unit: Annotated[
        Literal["eV", "keV", "deg"] | None,
        typer.Option(
            "--energy-unit", help="If the file does not name it; deg: monochromator angles.", show_default=False
        ),
    ] = None,
    d_spacing: Annotated[
        float | None,
        typer.Option(
            metavar="ANGSTROM", min=0.1, max=20.0, help="Of the monochromator, for angles.", show_default=False
        ),
    ] = None,
    decimal: Annotated[
        Literal["point", "comma"] | None,
        typer.Option(help="The decimal mark, if the file leaves it open.", show_default=False),
    ] = None,
    element: Annotated[
        str | None,
        typer.Option("--element", "-e", metavar="SYMBOL", help="The absorber, as Fe.", show_default=False),
    ] = None,
    edge: Annotated[str | None, typer.Option(metavar="EDGE", help="As K or L3.", show_default=False)] = None,
    e0: Annotated[
        float | None,
        typer.Option(
            "--e0", metavar="EV", help="The edge; by default the last crossing of half the step.", show_default=False
        ),
    ] = None,
    pre: Annotated[
        str | None,
        typer.Option(
            metavar="FROM:TO", help="Range of the line before the edge, eV from E0, as -150:-30.", show_default=False
        ),
    ] = None,
    post: Annotated[
        str | None,
        typer.Option(
            metavar="FROM:TO", help="Range of the curve after the edge, eV from E0, as 50:600.", show_default=False
        ),
    ] = None,
    order: Annotated[
        int | None,
        typer.Option(min=0, max=2, help="Degree of the curve after the edge.", show_default=False),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="FROM:TO", help="Energies in eV to leave out; may be repeated.", show_default=False),
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Average the files or groups: repeats of one scan.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The spectrum: .csv, or .json with everything.", show_default=False
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", "-p", metavar="FILE", help="A figure, .svg, .png or .pdf.", show_default=False),
    ] = None,
) -> None:
    """Read measured spectra and normalise them. If a file can be read in several ways, the error says how to choose.

    Example: xanesflow measured scan.xdi --output scan.csv --plot scan.png
    """
    with report_errors():
        ranges = [_range(each, "--exclude") for each in exclude or []]
        before, behind = (_range(each, name) if each else None for each, name in ((pre, "--pre"), (post, "--post")))
        from xanesflow.cli.measured import show_measured
        from xanesflow.measured import Normalisation, Reading

        reading = Reading(columns, mode, energy_unit, d_spacing, decimal, tuple(group or ()), tuple(ranges))
        normalisation = Normalisation(e0, element, edge, before, behind, order)
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


def _range(text: str, option: str) -> tuple[float, float]:
    """`-150:-30` as two numbers, the smaller first."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = math.nan
    if not math.isfinite(low) or not math.isfinite(high) or low == high:
        raise WrongCallError(f"{option} {text[:40]!r} is not a range; write two energies in eV, as 7100:7101.")
    return min(low, high), max(low, high)
