"""The section `predict` of config.yaml: which structures the target `predict` is for, and by which models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from xanesflow.codes.registry import theory_of
from xanesflow.config.base import Section, unique
from xanesflow.config.delta_from import models_of, theory_of_baseline
from xanesflow.config.named_files import check_directory
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.models.model_kinds import DELTA
from xanesflow.structures.list_files import directory_state

if TYPE_CHECKING:
    from xanesflow.config.model import Config

KINDS = (DELTA, "tuned", "expert", "universal")
"""Of models, the best first."""


class Predict(Section):
    """Spectra of structures that were not simulated, made by `snakemake predict` alone."""

    structures: str | None = Field(
        None, description="folder of structure files, as structures.directory takes it; null: nothing to predict"
    )
    models: Annotated[list[str], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "checkpoints, folders with a model's seeds, or folders of `xanesflow model export`; null: the campaign's\n"
            "own, of each subset the delta one (over the embedded engine), else the tuned one, else the expert, else\n"
            "the universal one, on the first of features.models"
        ),
    )


def folder_to_predict(config: Config) -> str:
    """The folder of structures that `snakemake predict` is for.

    Raises:
        XanesflowError: none is named, or it is not there.
    """
    folder = config.predict.structures
    if folder is None:
        raise XanesflowError("predict.structures is not set; name a folder of structure files.")
    check_directory(folder, "predict.structures")
    return folder


def state_to_predict(config: Config) -> str:
    """What tells that something in that folder has changed; empty if there is none."""
    return directory_state(config.predict.structures) if config.predict.structures else ""


def models_to_predict_with(config: Config) -> list[str]:
    """Checkpoints of the campaign's own models, or what the configuration names.

    Raises:
        XanesflowError: the campaign has no model that can predict other structures.
    """
    if config.predict.models is not None:
        return config.predict.models
    kind, features = _own(config)
    of = [Subset.parse(name).theory if kind == "universal" else name for name in config.subsets]
    return [
        f"results/models/{kind}_{features}_{each}/seed{seed}.safetensors"
        for each in dict.fromkeys(of)
        for seed in config.models.seeds or []
    ]


def calibrations_to_predict_with(config: Config) -> list[str]:
    """Error bars of the campaign's own models, which lie where they are looked for; others bring theirs along."""
    if config.predict.models is not None:
        return []
    kind, features = _own(config)
    return [f"results/evaluation/calibration/{kind}_{features}_{name}.h5" for name in config.subsets]


def _own(config: Config) -> tuple[str, str]:
    """Kind and features of the campaign's models."""
    own = dict(reversed(models_of(config)))  # on the first features of each kind
    below = theory_of_baseline(config.models.baseline)
    if below is None or not theory_of(below).runs_at_prediction:
        own.pop(DELTA, None)  # its cheap runs cannot be made where structures are predicted
    for kind in KINDS:
        if kind in own:
            return kind, own[kind]
    raise XanesflowError(
        f"models.kinds is {', '.join(config.models.kinds)}, over runs of {config.models.baseline}, which are not made "
        "for structures that are to be predicted; name models in predict.models."
    )
