"""`xanesflow xanes`, `structures` and its alias `examples`, and their options; code is imported when it runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from xanesflow.cli.options import Align, Broaden, Disordered, SitesAtATime, Symprec
from xanesflow.cli.terminal import report_errors
from xanesflow.core.sites import SYMPREC_A


@report_errors()
def xanes(
    structure: Annotated[
        str,
        typer.Argument(
            metavar="STRUCTURE",
            help="A file (POSCAR, CIF, JSON, xyz, vasprun.xml; also compressed), an example's id, as nio-rocksalt, "
            "or a mineral: its name, a formula, or an id, as amcsd-0000143.",
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
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for table and plot; made if missing.")
    ] = Path(),
    file_format: Annotated[
        Literal["csv", "athena"],
        typer.Option(
            "--format",
            "-f",
            help="csv: one table; athena: a file of two columns for each site, named by the site, and their average.",
        ),
    ] = "csv",
    theory: Annotated[
        str,
        typer.Option(
            "--theory",
            "-t",
            metavar="NAME",
            help="Level of theory: FEFF8L, the embedded engine, takes seconds; FEFFQ, FEFF 10 at small radii, half "
            "a minute to two; FEFF, FEFF 10 at the paper's settings, minutes to hours.",
        ),
    ] = "FEFF8L",
    settings: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of FEFF: paper, as the published dataset (the default), or quick, smaller radii in a minute or so. "
            "Of FEFFQ: fast (the default) or near.",
        ),
    ] = None,
    core_hole: Annotated[
        Literal["off", "on", "average"] | None,
        typer.Option(help="Of FEFF8L: ground state (the default), full 1s hole, or the mean of both (twice the time)."),
    ] = None,
    fms_radius: Annotated[
        float | None,
        typer.Option(
            metavar="ANGSTROM",
            min=2.0,
            max=9.0,
            help="Of FEFF8L: radius of full multiple scattering; larger is slower. By default 5.5.",
        ),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the folder of each run there, as DIR/Cu_000.")
    ] = None,
    workers: SitesAtATime = None,
    normalised: Annotated[
        bool, typer.Option("--normalised", help="Also write the background and the spectrum normalised by it.")
    ] = False,
    broaden: Broaden = None,
    corrected: Annotated[
        bool,
        typer.Option(
            "--corrected",
            help="Also write the spectra as FEFF at the paper's settings has them, with error bars, by a model that "
            "comes along (`xanesflow model list`).",
        ),
    ] = False,
    align: Align = None,
    symprec: Symprec = SYMPREC_A,
    disorder: Disordered = "refuse",
) -> None:
    """Compute the K-edge XANES of a structure, and write it as a table (CSV, or for Athena) and a plot (PNG, SVG).

    The embedded engine takes seconds; with `--theory FEFFQ` FEFF 10 at small radii takes half a minute to two, with
    `--theory FEFF` at the paper's minutes, up to hours.

    Example: xanesflow xanes nio-rocksalt --element Ni
    """  # fmt: skip
    from xanesflow.cli.align import shift_of
    from xanesflow.cli.compute_spectra import quick_look
    from xanesflow.codes.quick_look import check_quick_look, quick_look_of
    from xanesflow.codes.registry import theory_of
    from xanesflow.config.default_engine import default_engine_options
    from xanesflow.core.errors import WrongCallError
    from xanesflow.matching.write_normalised import read_broadening
    from xanesflow.structures.choose_site import make_request
    from xanesflow.structures.disorder.represent import Disorder

    named = {"settings": settings, "core_hole": core_hole, "fms_radius": fms_radius}
    given = {name: value for name, value in named.items() if value is not None}
    check_quick_look(theory, given, align=align is not None)
    if corrected and disorder != "refuse":  # before cells are filled
        raise WrongCallError("Only ordered crystals are corrected; leave out --corrected or --disorder.")
    broadening = read_broadening(broaden) if broaden is not None else None
    request = make_request(structure, element, site, symprec=symprec, disorder=Disorder(disorder))
    shift = shift_of(request, theory) if align else None
    options = default_engine_options(theory, request.element)
    look = quick_look_of(theory, {**options, **(theory_of(theory).as_cheap_run if corrected else {})}, given)
    correct = None
    if corrected:
        from xanesflow.prediction.correct_runs import correct_runs, find_correction

        model = find_correction(request.element, theory, look.engine.settings())
        correct = partial(correct_runs, model, request)
    quick_look(
        request,
        look,
        output,
        athena=file_format == "athena",
        workers=workers,
        keep=keep,
        normalised=normalised,
        broadening=broadening,
        shift=shift,
        correct=correct,
    )


structures_app = typer.Typer(no_args_is_help=True, help="Structures that come along: examples and minerals.")


@structures_app.callback()
def _structures() -> None:
    """Make `structures` a group of commands, since there may be more than one."""


@structures_app.command("search")
@report_errors()
def examples(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Parts of a name, formula, author or title; all must be there. Without any: the examples.",
        ),
    ] = None,
    *,
    element: Annotated[
        list[str] | None,
        typer.Option(
            "--element",
            "-e",
            metavar="SYMBOL",
            help="Only those with this element; without words, with this absorber. May be repeated.",
        ),
    ] = None,
) -> None:
    """List examples and measured structures of minerals with their references; `xanesflow xanes` takes their ids.

    Example: xanesflow structures search hematite
    """
    from xanesflow.cli.search_structures import show_found

    show_found(words or [], element or [])
