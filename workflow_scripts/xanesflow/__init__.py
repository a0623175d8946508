"""xanesflow: from crystal structures to K-edge XANES datasets and the models trained on them.

One package for each stage of the workflow, named as the stage, and packages that all stages use. Each imports only from
those left of it::

    core -> measured -> running -> codes -> config -> structures -> inputs -> simulations -> spectra -> features
    -> dataset -> models -> evaluation -> interpretation -> prediction -> matching -> report -> app -> cli

docs/reference/house.md says what is in each. Every function here can be called without Snakemake; the scripts beside
this package are what the rules call.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xanesflow.dataset.read_dataset import load
    from xanesflow.prediction.predictor import predict

__version__ = "0.1.0"

__all__ = ["__version__", "load", "predict"]


def __getattr__(name: str) -> object:
    """`load` and `predict`, imported when they are asked for, so that importing the library costs nothing."""
    if name == "load":
        from xanesflow.dataset.read_dataset import load

        return load
    if name == "predict":
        from xanesflow.prediction.predictor import predict

        return predict
    raise AttributeError(f"module {__name__} has no attribute {name}")
