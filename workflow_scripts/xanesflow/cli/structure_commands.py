"""`xanesflow xanes`, `structures` and its alias `examples`, and their options; code is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from xanesflow.cli.terminal import messages, report_errors, results


def xanes(
    structure: Annotated[
        str,
        typer.Argument(
            metavar="STRUCTURE",
            help="A file (POSCAR, CIF, JSON, xyz, vasprun.xml; also compressed), an example's id, as nio-rocksalt, "
            "or a mineral: its name, a formula, or an id, as amcsd-0000143.",
            show_default=False,
        ),
    ],
    *,
    element: Annotated[
        str | None,
        typer.Option(
            "--element",
            "-e",
            metavar="SYMBOL",
            help="The absorber, as Cu; you can omit it if the structure has one 3d metal (Ti to Cu).",
            show_default=False,
        ),
    ] = None,
    site: Annotated[
        int | None,
        typer.Option(
            "--site",
            "-s",
            metavar="INDEX",
            min=0,
            help="Only this atom, counted from 0; by default all inequivalent atoms of the element and their average.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for table and plot; made if missing.")
    ] = Path(),
    core_hole: Annotated[
        Literal["off", "on", "average"],
        typer.Option("--core-hole", help="Ground state, full 1s hole, or the mean of both (twice the time)."),
    ] = "off",
    fms_radius: Annotated[
        float,
        typer.Option(
            "--fms-radius",
            metavar="ANGSTROM",
            min=2.0,
            max=9.0,
            help="Radius of full multiple scattering; larger is slower.",
        ),
    ] = 5.5,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-w",
            metavar="N",
            min=1,
            help="Sites computed at a time; by default one for each core.",
            show_default=False,
        ),
    ] = None,
    normalised: Annotated[
        bool,
        typer.Option("--normalised", help="Also write the background and the spectrum normalised by it."),
    ] = False,
    broaden: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:EV",
            help="Also write the normalised spectrum broadened: gaussian:1.5, or lorentzian:1:5 or arctangent:1:5:30, "
            "whose width rises (width, rise, centre).",
            show_default=False,
        ),
    ] = None,
    symprec: Annotated[
        float,
        typer.Option(
            "--symprec",
            metavar="ANGSTROM",
            min=1e-6,
            max=0.5,
            help="Tolerance of symmetry, which decides whether atoms are equivalent.",
        ),
    ] = 0.01,
    disorder: Annotated[
        Literal["refuse", "ordered", "random"],
        typer.Option(help="Partly occupied sites: refuse them, order them by electrostatic energy, or fill 4 cells."),
    ] = "refuse",
) -> None:
    """Compute the K-edge XANES of a structure in seconds, and write it as a table (CSV) and a plot (PNG, SVG).

    Example: xanesflow xanes nio-rocksalt --element Ni
    """  # fmt: skip
    with report_errors():
        from xanesflow.cli.choose_site import make_request
        from xanesflow.cli.compute_spectra import quick_look
        from xanesflow.cli.write_normalised import read_broadening
        from xanesflow.codes.feff8l.options import EngineSettings
        from xanesflow.structures.disorder.represent import Disorder

        broadening = read_broadening(broaden) if broaden else None
        request = make_request(structure, element, site, symprec=symprec, disorder=Disorder(disorder))
        settings = EngineSettings(core_hole=core_hole, fms_radius=fms_radius)
        quick_look(
            request,
            settings,
            output,
            workers=workers,
            normalised=normalised,
            broadening=broadening,
            console=messages(),
            results=results(),
        )


structures_app = typer.Typer(no_args_is_help=True, help="Structures that come along: examples and minerals.")


@structures_app.callback()
def _structures() -> None:
    """Make `structures` a group of commands, since there may be more than one."""


@structures_app.command("search")
def examples(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Parts of a name, formula, author or title; all must be there. Without any: the examples.",
            show_default=False,
        ),
    ] = None,
    *,
    element: Annotated[
        str | None,
        typer.Option(
            "--element",
            "-e",
            metavar="SYMBOL",
            help="Only those with this element; without words, with this absorber.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List examples and measured structures of minerals with their references; `xanesflow xanes` takes their ids.

    Example: xanesflow structures search hematite
    """
    with report_errors():
        from xanesflow.cli.search_structures import show_found

        show_found(words or [], element, results())
