"""`xanesflow dataset ...` and its options. Each command imports its code only when it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from xanesflow.cli.options import AsJson, NewFolder
from xanesflow.cli.terminal import print_result, report_input_errors
from xanesflow.core.errors import WrongCallError, XanesflowError, sentence_about
from xanesflow.core.text import plural

dataset_app = typer.Typer(no_args_is_help=True, help="Datasets: describe, check, plot, export, compare.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A dataset, results/dataset/<campaign>.h5.")]


@contextmanager
def _report_file_errors(*files: Path) -> Iterator[None]:
    """As `report_input_errors`, also for files that are damaged or may not be read; exit code 1 has another meaning."""
    with report_input_errors():
        from xanesflow.dataset.file import report_damage

        try:
            with report_damage(" or ".join(map(str, files))):
                yield
        except BrokenPipeError:
            raise
        except (OSError, MemoryError) as error:
            raise XanesflowError(sentence_about(error, full_path=True)) from None


@dataset_app.command()
def info(file: File, *, as_json: AsJson = False) -> None:
    """Show what a dataset holds: subsets, sites, parts of the split, features, what was left out, versions."""
    with _report_file_errors(file):
        from xanesflow.cli.show_dataset import show_info

        show_info(file, as_json=as_json)


@dataset_app.command()
def ids(
    file: File,
    *,
    subset: Annotated[str | None, typer.Option(metavar="NAME", help="Only this one, as Cu_FEFF.")] = None,
    part: Annotated[
        Literal["train", "val", "test"] | None, typer.Option("--part", help="Only this part of the split.")
    ] = None,
) -> None:
    """List the ids of a dataset's sites, as the other commands take them, each on a line with its subset and part."""
    with _report_file_errors(file):
        from xanesflow.cli.show_dataset import show_ids

        show_ids(file, subset, part)


@dataset_app.command("validate")
def validate_file(
    file: File,
    *,
    symmetry: Annotated[
        bool, typer.Option("--symmetry", help="Also find each structure's symmetry again and compare multiplicities.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a dataset: layout, units, numbers, sites, split, structures, hashes; near duplicates are reported.

    Exit code 0: no faults; 1: faults; 2: the file cannot be opened as a dataset.
    """
    with _report_file_errors(file):
        from xanesflow.cli.show_dataset import show_validation

        if not show_validation(file, symmetry=symmetry, as_json=as_json):
            sys.exit(1)


@dataset_app.command()
def plot(
    file: File,
    sites: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SITE...]", help="Sites, as mp-390_000; by default each subset's mean and spread."),
    ] = None,
    *,
    subset: Annotated[list[str] | None, typer.Option("--subset", "-s", help="Only of these, as Cu_FEFF.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="SVG, PNG or PDF.")] = Path(
        "spectra.svg"
    ),
) -> None:
    """Plot spectra of sites, or the mean of each subset and the band with 68 % of its spectra.

    Example: xanesflow dataset plot results/dataset/demo.h5 cuo-tenorite_000 -o cuo.png
    """
    with _report_file_errors(file):
        from xanesflow.cli.show_dataset import plot_dataset

        plot_dataset(file, sites or [], subset or [], output)


@dataset_app.command()
def export(
    file: File,
    *,
    out: NewFolder,
    layout: Annotated[
        Literal["npy", "npz", "csv", "athena"],
        typer.Option(
            "--format",
            "-f",
            help="npy: a file for each array; npz: one for each subset; csv: tables; athena: a file of two columns for "
            "each site, named by the site.",
        ),
    ] = "npy",
    subset: Annotated[list[str] | None, typer.Option("--subset", "-s", help="Only these, as Cu_FEFF.")] = None,
    normalised: Annotated[
        bool, typer.Option("--normalised", help="Divide each spectrum by its mean over the last 10 eV.")
    ] = False,
) -> None:
    """Write a dataset as plain NumPy files (without pickles), CSV or files for Athena, which cannot read HDF5.

    Example: xanesflow dataset export results/dataset/demo.h5 --format csv --out demo_csv
    """
    with _report_file_errors(file, out):
        from xanesflow.dataset.share.export_dataset import export_dataset

        number = export_dataset(file, out, layout=layout, subsets=subset or [], normalised=normalised)
        print_result(f"{plural(number, 'file')} written to {out}; README.txt there describes them")


@dataset_app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="OLD", help="A dataset.")],
    second: Annotated[
        Path, typer.Argument(metavar="NEW", help="Another release of it, or published arrays (.npz) of one subset.")
    ],
    *,
    tolerance: Annotated[
        float, typer.Option("--tolerance", "-t", min=0.0, help="Relative to a spectrum's maximum, or a feature's size.")
    ] = 1e-6,
    subset: Annotated[
        str | None, typer.Option("--subset", "-s", help="Which the arrays are of, if their file's name does not say.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="CSV with a row for each site.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two releases: sites, spectra, splits, features, structures.

    With published arrays, such as Cu_FEFF_val.npz: which of their sites the dataset has, and how far its spectra and
    features are from them. Sites that the arrays do not have count as no difference.

    Exit code 0: nothing; 1: something; 2: one of the files cannot be read.

    Example: xanesflow dataset diff results/dataset/mine.h5 Cu_FEFF_val.npz --tolerance 1e-3
    """
    with _report_file_errors(first, second):
        from xanesflow.cli.show_difference import show_difference, show_difference_from_published

        if first.suffix == ".npz":
            raise WrongCallError(f"{first} holds arrays; name the dataset first and the arrays second.")
        if subset is not None and second.suffix != ".npz":
            raise WrongCallError("--subset says what published arrays (.npz) are of; leave it out for two datasets.")
        if second.suffix == ".npz":
            differs = show_difference_from_published(
                first, second, subset=subset, tolerance=tolerance, output=output, as_json=as_json
            )
        else:
            differs = show_difference(first, second, tolerance=tolerance, output=output, as_json=as_json)
        if differs:
            sys.exit(1)
