"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from xanesflow.core.energy_range import read_range
from xanesflow.core.errors import WrongCallError

if TYPE_CHECKING:
    from xanesflow.measured import Normalisation, Reading

Align = Annotated[
    Literal["experiment"] | None,
    typer.Option(
        help="Move the energies to where experiment has them, by element, metal or compound, and oxidation state."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")]
Broaden = Annotated[
    str | None,
    typer.Option(
        metavar="KIND:EV",
        help="Also write the normalised spectrum broadened: gaussian:1.5 (standard deviation), or lorentzian:1:5 or "
        "arctangent:1:5:30, whose full width at half maximum rises (width, rise, centre).",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where computed spectra are kept; by default the user's cache folder."),
]
Disordered = Annotated[
    Literal["refuse", "ordered", "random"],
    typer.Option(help="Partly occupied sites: refuse them, order them by electrostatic energy, or fill 4 cells."),
]
NewFolder = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A folder that does not exist yet.")]
Plot = Annotated[Path | None, typer.Option("--plot", "-p", metavar="FILE", help="A figure, .svg, .png or .pdf.")]
SitesAtATime = Annotated[
    int | None,
    typer.Option("--workers", "-w", metavar="N", min=1, help="Sites at a time; by default one for each core."),
]
Symprec = Annotated[
    float,
    typer.Option(
        metavar="ANGSTROM", min=1e-6, max=0.5, help="Tolerance of symmetry, which decides whether atoms are equivalent."
    ),
]


def working_directory(argument: Path | None, option: Path | None) -> Path:
    """Return the campaign's directory that was given as an argument or as `--directory`, or the current one.

    Raises:
        WrongCallError: two different ones were given.
    """
    if argument is not None and option is not None and argument.resolve() != option.resolve():
        raise WrongCallError(f"Two working directories are given, {argument} and {option}; give one.")
    return argument or option or Path()


class HowToRead(NamedTuple):
    """How measured spectra are read and normalised."""

    reading: Reading
    normalisation: Normalisation


def how_to_read(
    *,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", "-g", metavar="LABEL", help="A group of an Athena project; may be repeated."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE=N,...",
            help="What the columns hold, as energy=1,i0=2,it=3; also if, ir, mu, norm, angle; sums as if=4+5.",
        ),
    ] = None,
    mode: Annotated[
        Literal["transmission", "fluorescence", "reference", "mu", "normalised"] | None,
        typer.Option(help="The signal to take, if the file has several."),
    ] = None,
    energy_unit: Annotated[
        Literal["eV", "keV", "deg"] | None,
        typer.Option(help="If the file does not name it; deg: monochromator angles."),
    ] = None,
    d_spacing: Annotated[
        float | None, typer.Option(metavar="ANGSTROM", min=0.1, max=20.0, help="Of the monochromator, for angles.")
    ] = None,
    decimal: Annotated[
        Literal["point", "comma"] | None, typer.Option(help="The decimal mark, if the file leaves it open.")
    ] = None,
    element: Annotated[
        str | None,
        typer.Option(
            "--element", "-e", metavar="SYMBOL", help="The absorber, as Fe; by default as the file or its energies say."
        ),
    ] = None,
    edge: Annotated[str | None, typer.Option(metavar="EDGE", help="As K or L3.")] = None,
    e0: Annotated[
        float | None, typer.Option(metavar="EV", help="The edge; by default the last crossing of half the step.")
    ] = None,
    pre: Annotated[
        str | None, typer.Option(metavar="FROM:TO", help="Range of the line before the edge, eV from E0, as -150:-30.")
    ] = None,
    post: Annotated[
        str | None, typer.Option(metavar="FROM:TO", help="Range of the curve after the edge, eV from E0, as 50:600.")
    ] = None,
    order: Annotated[int | None, typer.Option(min=0, max=2, help="Degree of the curve after the edge.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="FROM:TO", help="Energies in eV to leave out; may be repeated.")
    ] = None,
) -> HowToRead:
    """What the options for measured spectra mean.

    Raises:
        WrongCallError: a range cannot be read.
    """
    from xanesflow.measured import Normalisation, Reading

    ranges = tuple(read_range(each, "--exclude") for each in exclude or [])
    before, behind = (read_range(each, name) if each else None for each, name in ((pre, "--pre"), (post, "--post")))
    return HowToRead(
        Reading(columns, mode, energy_unit, d_spacing, decimal, tuple(group or ()), ranges),
        Normalisation(e0, element, edge, before, behind, order),
    )


def reads_measured(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `how_to_read` in place of its parameter `how`, which gets what they mean."""
    options = signature(how_to_read, eval_str=True).parameters

    @wraps(command)
    def with_options(**given: Any) -> None:
        how = how_to_read(**{name: given.pop(name) for name in options})
        command(**given, how=how)

    own = signature(command, eval_str=True)
    parameters: list[Parameter] = []
    for each in own.parameters.values():
        parameters += options.values() if each.name == "how" else [each]
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options
