"""`xanesflow predict`, `xanesflow model ...` and their options. Each command imports its code only when it runs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from xanesflow.cli.options import Align, AsJson, Broaden, Disordered, NewFolder, Symprec
from xanesflow.cli.terminal import print_result, report_input_errors
from xanesflow.core.errors import WrongCallError
from xanesflow.core.sites import SYMPREC_A
from xanesflow.core.text import listing

ErrorBars = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="Error bars (results/evaluation/calibration/...h5), if they do not lie beside the model."
    ),
]
Models = Annotated[
    list[Path],
    typer.Argument(
        metavar="MODEL...", help="Checkpoints, a folder with a model's seeds, an exported one, or builtin:Cu_FEFF."
    ),
]


@contextmanager
def _quick_imports() -> Iterator[None]:
    """Turn off the garbage collector, which would scan a million objects again and again, all of which stay.

    This saves a third of the time that importing PyTorch and ending the program take.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@report_input_errors()
def predict(
    structures: Annotated[
        list[Path],
        typer.Argument(
            metavar="STRUCTURE...",
            help="Files (POSCAR, CIF, JSON, xyz, vasprun.xml; also compressed), folders, examples, minerals.",
        ),
    ],
    *,
    model: Annotated[
        list[Path],
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A checkpoint, a folder with a model's seeds, one of `xanesflow model export`, or builtin:Cu_FEFF, "
            "which comes with xanesflow (`xanesflow model list`); may be repeated, for the seeds of a model (its "
            "ensemble) and for models of other elements or levels of theory.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File for the spectra, .csv or .h5.")
    ] = None,
    file_format: Annotated[
        Literal["athena"] | None,
        typer.Option(
            "--format",
            "-f",
            help="athena: --output is a new folder, with a file of two columns for each site, named by the site.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", "-p", metavar="FILE", help="A figure, .svg, .png, .pdf or .html.")
    ] = None,
    subset: Annotated[
        list[str] | None, typer.Option("--subset", "-s", help="Only this, as Cu_FEFF; may be repeated.")
    ] = None,
    site: Annotated[
        int | None,
        typer.Option(
            metavar="INDEX",
            min=0,
            help="Only this atom of each structure, counted from 0; by default all inequivalent ones.",
        ),
    ] = None,
    disorder: Disordered = "refuse",
    normalised: Annotated[
        bool,
        typer.Option(
            "--normalised",
            help="Also write each material's spectrum in units of its edge step, as measured ones are, with the "
            "embedded engine's background.",
        ),
    ] = False,
    broaden: Broaden = None,
    align: Align = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the engine's spectra are kept, for --normalised; by default the user's cache folder.",
        ),
    ] = None,
    calibration: ErrorBars = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="M3GNet's weights; by default matgl's cache or a download.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<number>, for the features.")] = "cpu",
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", metavar="N", min=1, help="Processes; by default as many as help.")
    ] = None,
    symprec: Symprec = SYMPREC_A,
) -> None:
    """Predict the XANES of structures with trained models: each site, and the average of each material.

    Of several structures, the good ones are predicted and the others are listed with reasons. Exit code 2 if nothing
    can be predicted, or if a named file cannot be used.

    Example: xanesflow predict cuprite --model builtin:Cu_FEFF -o spectra.csv
    """
    wanted = {"--site": site is not None, "--disorder": disorder != "refuse"}
    normalising = "--normalised" if normalised else "--broaden" if broaden is not None else ""
    if normalising and (given := [name for name, is_given in wanted.items() if is_given]):
        raise WrongCallError(
            f"Whole, ordered materials are normalised, so {listing(given)} cannot be used with {normalising}; leave "
            "out one or the other."
        )
    if normalising and output is None:
        raise WrongCallError(f"{normalising} writes its tables beside the spectra; name their file with --output.")
    if cache is not None and not normalising:
        raise WrongCallError("--cache keeps what --normalised computes; add --normalised, or leave out --cache.")
    if file_format == "athena" and output is None:
        raise WrongCallError("--format athena writes a folder of files; name it with --output DIR.")
    with _quick_imports():
        from xanesflow.cli.show_predictions import show_prediction
        from xanesflow.structures.disorder.represent import Disorder

    if align:
        from xanesflow.matching.experiment_energies import align_prediction, check_subsets
    normalise = None
    if output is not None and normalising:
        from xanesflow.cli.normalise_predictions import normalise_predictions
        from xanesflow.matching.write_normalised import read_broadening

        normalise = partial(
            normalise_predictions,
            output=output,
            broadening=read_broadening(broaden) if broaden is not None else None,
            cache=cache,
            workers=workers,
        )
    if not show_prediction(
        structures,
        model,
        output,
        plot,
        athena=file_format == "athena",
        subsets=subset or [],
        calibrations=calibration or [],
        weights=weights,
        device=device,
        workers=workers,
        symprec=symprec,
        site=site,
        disorder=Disorder(disorder),
        normalise=normalise,
        check=check_subsets if align else None,
        align=align_prediction if align else None,
    ):
        sys.exit(2)


model_app = typer.Typer(
    no_args_is_help=True, help="Trained models: list those that come along, describe one, or export it to share."
)


@model_app.command(name="list")
@report_input_errors()
def list_models() -> None:
    """List the models that come with xanesflow: what each predicts, and how good it is.

    Example: xanesflow model list
    """
    from xanesflow.cli.show_model import list_builtin

    list_builtin()


@model_app.command()
@report_input_errors()
def info(models: Models, *, as_json: AsJson = False) -> None:
    """Describe a model: network, features, training data, error bars, and how good it is.

    Example: xanesflow model info results/models/expert_m3gnet_Cu_FEFF
    """
    with _quick_imports():
        from xanesflow.cli.show_model import show_models

    show_models(models, as_json=as_json)


@model_app.command()
@report_input_errors()
def export(
    models: Models,
    *,
    out: NewFolder,
    calibration: ErrorBars = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Prediction files (results/evaluation/predictions/...h5) that do not lie beside the model.",
        ),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX name; by default that of the campaign's dataset.")] = None,
    creator: Annotated[str | None, typer.Option(help="Who made it; by default who made the dataset.")] = None,
) -> None:
    """Write a model as a folder to share: all seeds, error bars, model card and hashes, without paths of this machine.

    Example: xanesflow model export results/models/expert_m3gnet_Cu_FEFF --out cu_xanes
    """
    with _quick_imports():
        from xanesflow.prediction.export_model import export_model

    folder = export_model(
        models, out, calibrations=calibration or [], predictions=predictions or [], licence=licence, creator=creator
    )
    print_result(f"{folder}: to predict with it: xanesflow predict STRUCTURE... --model {folder}")
