"""The commands for measured spectra, and their options. They import their code only when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xanesflow.cli.options import Cache, HowToRead, Plot, SitesAtATime, reads_measured
from xanesflow.cli.terminal import report_errors
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import listing

Results = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The results: .csv or .json.")]


@report_errors()
@reads_measured
def measured(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="XDI, Athena projects (.prj), .nor, or text in columns.")
    ],
    *,
    how: HowToRead,
    merge: Annotated[bool, typer.Option("--merge", help="Average the files or groups: repeats of one scan.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The spectrum: .csv, or .json with everything."),
    ] = None,
    plot: Plot = None,
) -> None:
    """Read measured spectra and normalise them. If a file can be read in several ways, the error says how to choose.

    Example: xanesflow measured scan.xdi --output scan.csv --plot scan.png
    """
    from xanesflow.cli.measured import show_measured

    show_measured(files, how, merge=merge, output=output, plot=plot)


@report_errors()
@reads_measured
def interpret(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Measured spectra, as `xanesflow measured` reads them; tables and .dat of `xanesflow xanes`; xmu.dat.",
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
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="All values with their bars, .csv.")
    ] = None,
    how: HowToRead,
) -> None:
    """Read what a site is like from its spectrum: oxidation state, coordination, distances, with error bars.

    Spectra are aligned at half their step, never shifted to fit. A spectrum unlike all that was simulated is called
    foreign. Normalise difficult files with `xanesflow measured` first, and give its .csv.

    Example: xanesflow interpret scan.xdi --output site.csv
    """
    from xanesflow.cli.interpret import show_interpretation

    show_interpretation(files, model, how, output=output)


@report_errors()
@reads_measured
def match(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The measured spectrum, or a folder of scans, each ranked.")
    ],
    structures: Annotated[
        list[str],
        typer.Argument(
            metavar="STRUCTURE...",
            help="Candidates: minerals, examples, or folders, files, ids and names of structures; with --measured, "
            "files and folders of measured spectra.",
        ),
    ],
    *,
    theory: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Level of theory that the candidates are computed with; by default the embedded engine.",
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="FILE",
            help="A trained model that predicts the candidates' spectra; may be repeated.",
        ),
    ] = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="The candidates are measured spectra of known samples.")
    ] = False,
    contains: Annotated[
        str | None, typer.Option(metavar="SYMBOLS", help="Only candidates that hold these, as Fe,O.")
    ] = None,
    max_atoms: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only candidates with at most N atoms in the cell.")
    ] = None,
    cache: Cache = None,
    workers: SitesAtATime = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The ranking: .csv or .json.")
    ] = None,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="A page with everything, .html.")] = None,
    plot: Plot = None,
    how: HowToRead,
) -> None:
    """Find the structure that a measured spectrum belongs to, among candidates, and say how sure that is.

    Example: xanesflow match scan.dat minerals --element Fe --contains Fe,O --page match.html
    """
    from xanesflow.cli.show_match import Outputs, Wanted, show_match
    from xanesflow.matching.candidates import Narrowing, read_symbols
    from xanesflow.matching.compute_candidates import DEFAULT_THEORY

    unused = {
        "--theory": theory, "--model": model, "--contains": contains, "--max-atoms": max_atoms, "--cache": cache,
        "--workers": workers,
    }  # fmt: skip
    if measured and (given := [name for name, value in unused.items() if value]):
        raise WrongCallError(f"{listing(given)} cannot be used with --measured; leave out one or the other.")
    narrowing = Narrowing(read_symbols(contains) if contains else frozenset(), max_atoms)
    wanted = Wanted(
        tuple(structures), theory or DEFAULT_THEORY, tuple(model or ()), measured, narrowing, cache, workers
    )
    show_match(file, wanted, Outputs(output, page, plot), how)


@report_errors()
@reads_measured
def mix(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The measured spectrum, or a folder of scans, each fitted.")
    ],
    standards: Annotated[
        list[str],
        typer.Argument(
            metavar="STANDARD...",
            help="Measured spectra of known samples: files or folders; with --computed, structures as of "
            "`xanesflow match`.",
        ),
    ],
    *,
    most: Annotated[int, typer.Option("--max", min=1, max=4, help="Most standards in a combination.")] = 3,
    sum_to_one: Annotated[bool, typer.Option("--sum-to-one", help="Fractions must add up to 1.")] = False,
    max_shift: Annotated[
        float | None,
        typer.Option(metavar="EV", min=0.0, max=5.0, help="How far a measured standard may be shifted; 1 by default."),
    ] = None,
    computed: Annotated[
        bool,
        typer.Option("--computed", help="Use computed standards, although they rarely find the right combination."),
    ] = False,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where computed spectra are kept, with --computed.")
    ] = None,
    output: Results = None,
    plot: Plot = None,
    how: HowToRead,
) -> None:
    """Find which few standards make up a measured spectrum, and in which fractions.

    Example: xanesflow mix scan.dat standards/ --max 2 --output mix.csv
    """
    if cache and not computed:
        raise WrongCallError("--cache keeps computed spectra, and only --computed uses these; leave it out.")
    if computed and max_shift is not None:
        raise WrongCallError("--max-shift is for measured standards; computed ones move as known samples did.")
    from xanesflow.cli.show_mix import MixWanted, show_mix
    from xanesflow.matching.mixtures import MAX_SHIFT_EV

    shift = MAX_SHIFT_EV if max_shift is None else max_shift
    wanted = MixWanted(tuple(standards), most, sum_to_one, shift, computed, cache, output, plot)
    show_mix(file, wanted, how)


@report_errors()
@reads_measured
def pca(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scans, or folders of them.")],
    *,
    output: Results = None,
    plot: Plot = None,
    how: HowToRead,
) -> None:
    """Count the independent spectra of a series of scans by its principal components.

    Example: xanesflow pca scans/ --plot pca.svg
    """
    from xanesflow.cli.show_mix import show_pca

    show_pca(files, output, plot, how)
