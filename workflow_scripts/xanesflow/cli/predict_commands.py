"""`xanesflow predict` and `xanesflow model ...` with their options; what they do is imported when they do it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from xanesflow.cli.terminal import WrongCallError, errors_told, messages, results
from xanesflow.errors import XanesflowError


@contextmanager
def _input_told() -> Iterator[None]:
    """As `errors_told`, with exit code 2 for whatever the user can mend."""
    with errors_told():
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
    with _input_told():
        with _much_imported():
            from xanesflow.cli.predict import show_prediction

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
