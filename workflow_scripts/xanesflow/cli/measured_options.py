"""Options for reading measured spectra, which several commands share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import quoted

if TYPE_CHECKING:
    from xanesflow.measured import Normalisation, Reading

Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group", "-g", metavar="LABEL", help="A group of an Athena project; may be repeated.", show_default=False
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="ROLE=N,...",
        help="What the columns hold, as energy=1,i0=2,it=3; also if, ir, mu, norm, angle; sums as if=4+5.",
        show_default=False,
    ),
]
Mode = Annotated[
    Literal["transmission", "fluorescence", "reference", "mu", "normalised"] | None,
    typer.Option(help="The signal to take, if the file has several.", show_default=False),
]
EnergyUnit = Annotated[
    Literal["eV", "keV", "deg"] | None,
    typer.Option("--energy-unit", help="If the file does not name it; deg: monochromator angles.", show_default=False),
]
DSpacing = Annotated[
    float | None,
    typer.Option(metavar="ANGSTROM", min=0.1, max=20.0, help="Of the monochromator, for angles.", show_default=False),
]
Decimal = Annotated[
    Literal["point", "comma"] | None,
    typer.Option(help="The decimal mark, if the file leaves it open.", show_default=False),
]
AbsorberElement = Annotated[
    str | None,
    typer.Option("--element", "-e", metavar="SYMBOL", help="The absorber, as Fe.", show_default=False),
]
Edge = Annotated[str | None, typer.Option(metavar="EDGE", help="As K or L3.", show_default=False)]
E0 = Annotated[
    float | None,
    typer.Option(
        "--e0", metavar="EV", help="The edge; by default the last crossing of half the step.", show_default=False
    ),
]
Pre = Annotated[
    str | None,
    typer.Option(
        metavar="FROM:TO", help="Range of the line before the edge, eV from E0, as -150:-30.", show_default=False
    ),
]
Post = Annotated[
    str | None,
    typer.Option(
        metavar="FROM:TO", help="Range of the curve after the edge, eV from E0, as 50:600.", show_default=False
    ),
]
Order = Annotated[
    int | None, typer.Option(min=0, max=2, help="Degree of the curve after the edge.", show_default=False)
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="FROM:TO", help="Energies in eV to leave out; may be repeated.", show_default=False),
]
Broaden = Annotated[
    str | None,
    typer.Option(
        metavar="KIND:EV",
        help="Also write the normalised spectrum broadened: gaussian:1.5, or lorentzian:1:5 or arctangent:1:5:30, "
        "whose width rises (width, rise, centre).",
        show_default=False,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", "-p", metavar="FILE", help="A figure, .svg, .png or .pdf.", show_default=False),
]


def read_options(
    *,
    columns: str | None = None,
    mode: Literal["transmission", "fluorescence", "reference", "mu", "normalised"] | None = None,
    energy_unit: Literal["eV", "keV", "deg"] | None = None,
    d_spacing: float | None = None,
    decimal: Literal["point", "comma"] | None = None,
    group: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
) -> Reading:
    """The options as `Reading`.

    Raises:
        WrongCallError: a range cannot be read.
    """
    from xanesflow.measured import Reading

    ranges = tuple(_range(each, "--exclude") for each in exclude or [])
    return Reading(columns, mode, energy_unit, d_spacing, decimal, tuple(group or ()), ranges)


def normalise_options(
    *,
    e0: float | None = None,
    element: str | None = None,
    edge: str | None = None,
    pre: str | None = None,
    post: str | None = None,
    order: int | None = None,
) -> Normalisation:
    """The options as `Normalisation`.

    Raises:
        WrongCallError: a range cannot be read.
    """
    from xanesflow.measured import Normalisation

    before, behind = (_range(each, name) if each else None for each, name in ((pre, "--pre"), (post, "--post")))
    return Normalisation(e0, element, edge, before, behind, order)


def _range(text: str, option: str) -> tuple[float, float]:
    """`-150:-30` as two numbers, the smaller first."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = math.nan
    if not math.isfinite(low) or not math.isfinite(high) or low == high:
        raise WrongCallError(f"{option} {quoted(text)} is not a range; write two energies in eV, as 7100:7101.")
    return min(low, high), max(low, high)
