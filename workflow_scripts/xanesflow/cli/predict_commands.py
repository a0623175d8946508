"""`xanesflow predict` and `xanesflow model ...` with their options; what they do is imported when they do it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from xanesflow.cli.terminal import messages, report_errors, results, say
from xanesflow.core.errors import WrongCallError, XanesflowError


@contextmanager
def _report_input_errors() -> Iterator[None]:
    """As `report_errors`, with exit code 2 for whatever the user can mend."""
    with report_errors():
        try:
            yield
        except XanesflowError as error:
            raise WrongCallError(str(error)) from None


@contextmanager
def _much_imported() -> Iterator[None]:
    """Without the garbage collector, which looks again and again through a million objects that all stay.

    Importing PyTorch and ending the program take a third less time so.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def predict(
    structures: Annotated[
        list[Path],
        typer.Argument(
            metavar="STRUCTURE...", help="POSCAR, CIF or pymatgen JSON files, or folders of them.", show_default=False
        ),
    ],
    *,
    model: Annotated[
        list[Path],
        typer.Option(
            "--model",
            "-m",
            metavar="CHECKPOINT",
            help="A checkpoint, a folder with a model's seeds, or one of `xanesflow model export`; may be repeated: "
            "seeds of one model are its ensemble, and each element or level of theory has a model of its own.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where spectra go, .csv or .h5.", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", "-p", metavar="FILE", help="A figure, .svg, .png, .pdf or .html.", show_default=False),
    ] = None,
    subset: Annotated[
        list[str] | None,
        typer.Option("--subset", "-s", help="This alone, as Cu_FEFF; may be repeated.", show_default=False),
    ] = None,
    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Error bars (results/evaluation/calibration/...h5), if they do not lie beside the model.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="M3GNet's weights; without, matgl's cache or a download.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<number>, for the features.")] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-w", metavar="N", min=1, help="Processes; without, what pays.", show_default=False),
    ] = None,
    symprec: Annotated[
        float,
        typer.Option(metavar="ANGSTROM", min=1e-6, max=0.5, help="Atoms are equivalent if symmetry holds to so much."),
    ] = 0.01,
) -> None:
    """Predict the XANES of structures with trained models: each site, and the average of each material.

    Of several structures the good ones are predicted, and the others are told with their reasons. Exit code 2 if
    nothing can be predicted, or a file that was named cannot be used.

    Example: xanesflow predict structures/ --model results/models/expert_m3gnet_Cu_FEFF -o spectra.h5
    """
    with _report_input_errors():
        with _much_imported():
            from xanesflow.cli.show_predictions import show_prediction

        if not show_prediction(
            structures,
            model,
            output,
            plot,
            messages=messages(),
            results=results(),
            subsets=subset or [],
            calibrations=calibration or [],
            weights=weights,
            device=device,
            workers=workers,
            symprec=symprec,
        ):
            sys.exit(2)


model_app = typer.Typer(no_args_is_help=True, help="Trained models: tell what one is, export it to share.")

Models = Annotated[
    list[Path],
    typer.Argument(
        metavar="CHECKPOINT...",
        help="Checkpoints, a folder with a model's seeds, or an exported one.",
        show_default=False,
    ),
]


@model_app.command()
def info(
    models: Models,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="For scripts: one JSON document.", show_default=False)
    ] = False,
) -> None:
    """Tell what a model is: network, features, training data, error bars, and how good it is.

    Example: xanesflow model info results/models/expert_m3gnet_Cu_FEFF
    """
    with _report_input_errors():
        with _much_imported():
            from xanesflow.cli.show_model import show_models

        show_models(models, results(), as_json=as_json)


@model_app.command()
def export(
    models: Models,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A folder that is not there yet.")],
    calibration: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Error bars that do not lie beside the model.", show_default=False),
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Predictions that it was judged by (results/evaluation/predictions/...h5), if they do not.",
            show_default=False,
        ),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="SPDX name; without, that of the campaign's dataset.", show_default=False)
    ] = None,
    creator: Annotated[
        str | None, typer.Option(help="Who made it; without, who made the dataset.", show_default=False)
    ] = None,
) -> None:
    """Write a model as a folder to share: all seeds, error bars, model card and hashes; nothing of this machine.

    Example: xanesflow model export results/models/expert_m3gnet_Cu_FEFF --out cu_xanes
    """
    with _report_input_errors():
        with _much_imported():
            from xanesflow.prediction.export_model import export_model

        folder = export_model(
            models, out, calibrations=calibration or [], predictions=predictions or [], licence=licence, creator=creator
        )
        say(results(), f"{folder}: predict with it: xanesflow predict STRUCTURE... --model {folder}")
