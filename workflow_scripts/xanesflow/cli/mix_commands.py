"""`xanesflow mix` and `xanesflow pca`, and their options. They import their code only when they run."""

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

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The results: .csv or .json.", show_default=False),
]


def mix(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The measured spectrum, or a folder of scans, each fitted.", show_default=False
        ),
    ],
    standards: Annotated[
        list[str],
        typer.Argument(
            metavar="STANDARD...",
            help="Measured spectra of known samples: files or folders; with --computed, structures as of "
            "`xanesflow match`.",
            show_default=False,
        ),
    ],
    *,
    most: Annotated[int, typer.Option("--max", min=1, max=4, help="Most standards in a combination.")] = 3,
    sum_to_one: Annotated[bool, typer.Option("--sum-to-one", help="Fractions must add up to 1.")] = False,
    max_shift: Annotated[
        float, typer.Option(metavar="EV", min=0.0, max=5.0, help="How far a measured standard may be shifted.")
    ] = 1.0,
    computed: Annotated[
        bool,
        typer.Option("--computed", help="Use computed standards, although they rarely find the right combination."),
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where computed spectra are kept, with --computed.", show_default=False),
    ] = None,
    output: Output = None,
    plot: Plot = None,
    element: AbsorberElement = None,
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
    """Find which few standards make up a measured spectrum, and in which fractions.

    Example: xanesflow mix scan.dat standards/ --max 2 --output mix.csv
    """
    with report_errors():
        reading = read_options(
            columns=columns, mode=mode, energy_unit=energy_unit, d_spacing=d_spacing, group=group, exclude=exclude
        )
        normalisation = normalise_options(e0=e0, element=element, pre=pre, post=post)
        if cache and not computed:
            raise WrongCallError("--cache keeps computed spectra, and only --computed uses these; leave it out.")
        from xanesflow.cli.show_mix import MixWanted, show_mix

        show_mix(
            file,
            MixWanted(tuple(standards), most, sum_to_one, max_shift, computed, cache, output, plot),
            reading=reading,
            normalisation=normalisation,
            messages=messages(),
            results=results(),
        )


def pca(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Scans, or folders of them.", show_default=False)
    ],
    *,
    output: Output = None,
    plot: Plot = None,
    element: AbsorberElement = None,
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
    """Count the independent spectra of a series of scans by its principal components.

    Example: xanesflow pca scans/ --plot pca.svg
    """
    with report_errors():
        reading = read_options(
            columns=columns, mode=mode, energy_unit=energy_unit, d_spacing=d_spacing, group=group, exclude=exclude
        )
        normalisation = normalise_options(e0=e0, element=element, pre=pre, post=post)
        from xanesflow.cli.show_mix import show_pca

        show_pca(
            files,
            output,
            plot,
            reading=reading,
            normalisation=normalisation,
            messages=messages(),
            results=results(),
        )
