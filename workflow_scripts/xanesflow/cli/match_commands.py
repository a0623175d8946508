"""`xanesflow match` and its options. It imports its code only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xanesflow.cli.measured_options import (
    E0,
    Columns,
    DSpacing,
    EnergyUnit,
    Exclude,
    Groups,
    Mode,
    Plot,
    Post,
    Pre,
    normalise_options,
    read_options,
)
from xanesflow.cli.terminal import messages, report_errors, results
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import listing


def match(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The measured spectrum, or a folder of scans, each ranked.", show_default=False
        ),
    ],
    structures: Annotated[
        list[str],
        typer.Argument(
            metavar="STRUCTURE...",
            help="Candidates: minerals, examples, or folders, files, ids and names of structures; with --measured, "
            "files and folders of measured spectra.",
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
            help="The absorber, as Fe; by default as the file or its energies say.",
            show_default=False,
        ),
    ] = None,
    theory: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Level of theory that the candidates are computed with; by default the embedded engine.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="FILE",
            help="A trained model that predicts the candidates' spectra; may be repeated.",
            show_default=False,
        ),
    ] = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="The candidates are measured spectra of known samples.")
    ] = False,
    contains: Annotated[
        str | None,
        typer.Option(metavar="SYMBOLS", help="Only candidates that hold these, as Fe,O.", show_default=False),
    ] = None,
    max_atoms: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only candidates with at most N atoms in the cell.", show_default=False),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where computed spectra are kept; by default the user's cache folder.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-w",
            metavar="N",
            min=1,
            help="Sites at a time; by default one for each core.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The ranking: .csv or .json.", show_default=False),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A page with everything, .html.", show_default=False)
    ] = None,
    plot: Plot = None,
    group: Groups = None,
    columns: Columns = None,
    mode: Mode = None,
    energy_unit: EnergyUnit = None,
    d_spacing: DSpacing = None,
    e0: E0 = None,
    pre: Pre = None,
    post: Post = None,
    exclude: Exclude = None,
) -> None:
    """Find the structure that a measured spectrum belongs to, among candidates, and say how sure that is.

    Example: xanesflow match scan.dat minerals --element Fe --contains Fe,O --page match.html
    """
    with report_errors():
        reading = read_options(
            columns=columns, mode=mode, energy_unit=energy_unit, d_spacing=d_spacing, group=group, exclude=exclude
        )
        normalisation = normalise_options(e0=e0, element=element, pre=pre, post=post)
        from xanesflow.cli.show_match import Outputs, Wanted, show_match
        from xanesflow.matching.candidates import Narrowing, read_symbols
        from xanesflow.matching.compute_candidates import default_theory

        unused = {"--theory": theory, "--model": model, "--contains": contains, "--max-atoms": max_atoms}
        if measured and (given := [name for name, value in unused.items() if value]):
            raise WrongCallError(f"{listing(given)} cannot be used with --measured; leave out one or the other.")
        narrowing = Narrowing(read_symbols(contains) if contains else frozenset(), max_atoms)
        wanted = Wanted(
            tuple(structures), theory or default_theory(), tuple(model or ()), measured, narrowing, cache, workers
        )
        show_match(
            file,
            wanted,
            Outputs(output, page, plot),
            reading=reading,
            normalisation=normalisation,
            messages=messages(),
            results=results(),
        )
