"""The inputs of `snakemake predict`: the folder of structures, the campaign's best models and their error bars."""

from __future__ import annotations

from xanesflow.codes.registry import theory_of
from xanesflow.config import result_paths as paths
from xanesflow.config.campaign import Campaign
from xanesflow.config.delta_from import cheap_theory
from xanesflow.config.kinds import BEST_FIRST, DELTA, trained_on
from xanesflow.config.named_files import check_directory
from xanesflow.config.result_paths import fill
from xanesflow.core.errors import XanesflowError


def folder_to_predict(campaign: Campaign) -> str:
    """The folder of structures to predict.

    Raises:
        XanesflowError: the configuration names none, or it does not exist.
    """
    folder = campaign.config.predict.structures
    if folder is None:
        raise XanesflowError("predict.structures is not set; name a folder of structure files.")
    check_directory(folder, "predict.structures")
    return folder


def models_to_predict_with(campaign: Campaign) -> list[str]:
    """The models that the configuration names, or else checkpoints of the campaign's own models.

    Raises:
        XanesflowError: the campaign has no model that can predict other structures.
    """
    if campaign.config.predict.models is not None:
        return campaign.config.predict.models
    kind, features = _best_model(campaign)
    trained = dict.fromkeys(trained_on(kind, name) for name in campaign.subsets)
    return [path for of in trained for path in campaign.checkpoints(kind, features, of)]


def calibrations_to_predict_with(campaign: Campaign) -> list[str]:
    """Error bars of the campaign's own models; empty for other models, which bring their own."""
    if campaign.config.predict.models is not None:
        return []
    kind, features = _best_model(campaign)
    return [fill(paths.CALIBRATION, model=kind, features=features, subset=name) for name in campaign.subsets]


def _best_model(campaign: Campaign) -> tuple[str, str]:
    """Kind and features of the model that predicts: the best kind, on its first features."""
    own = dict(reversed(campaign.models))  # for each kind the first features win
    models = campaign.config.models
    cheap = cheap_theory(models.delta_from)
    if cheap is None or not theory_of(cheap).runs_at_prediction:
        own.pop(DELTA, None)  # a prediction cannot make its cheap runs
    for kind in BEST_FIRST:
        if kind in own:
            return kind, own[kind]
    raise XanesflowError(
        f"models.kinds is {', '.join(models.kinds)}, over runs of {models.delta_from}, which are not made "
        "for the structures to predict; name models in predict.models."
    )
