"""The section `models.search` of config.yaml, and the settings of single models.

If several places give a value, a training takes it from the first of these: the model's own entry in `models.widths`,
`models.batch_size` or `models.settings`; a file of `models.settings_files`; the value for all models.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from xanesflow.config.base import Count, ModelName, Positive, Section, Seed, unique
from xanesflow.config.search_space import OWN_KEYS, SearchSpace, check_setting
from xanesflow.config.settings_file import Found, read_found
from xanesflow.core.errors import XanesflowError


def _space(given: dict[str, Any] | None) -> dict[str, Any] | None:
    try:
        SearchSpace.parse(given)
    except XanesflowError as error:
        raise ValueError(str(error)) from None
    return given


def _own_settings(given: dict[str, Any]) -> dict[str, Any]:
    for name in OWN_KEYS:
        if name in given:
            raise ValueError(f"{name} has its own key, models.{name}; put it there")
    try:
        return {name: check_setting(name, value) for name, value in given.items()}
    except XanesflowError as error:
        raise ValueError(str(error)) from None


OwnSettings = Annotated[dict[str, Any], AfterValidator(_own_settings)]


class SearchSection(Section):
    """The search for the best settings of a model."""

    models: Annotated[list[ModelName], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "models whose settings are searched, [Cu_FEFF, universal]; null: every expert, and the universal model if\n"
            "there is one (on the level of theory with most subsets)"
        ),
    )
    trials: Count = Field(
        50, description="number of trainings with different settings; increase it later to continue the search"
    )
    hours: Positive | None = Field(
        None, description="start no more trials of a model after this many hours of trials; null: no limit"
    )
    max_epochs: Count = Field(
        300, description="longest training of a trial; with schedule one_cycle, trials train as long as the models"
    )
    pruner: Literal["percentile", "none"] = Field(
        "percentile",
        description=(
            "percentile: a trial ends early if its best validation loss is worse than that of three quarters of the\n"
            "others at the same epoch (docs/guide/search.md); none: every trial is trained to its end"
        ),
    )
    seed: Seed = Field(0, description="seed of the choices, and of the training of every trial")
    space: Annotated[dict[str, Any] | None, AfterValidator(_space)] = Field(
        None,
        description=(
            "settings to search, each with a list of values or a range {low, high, step} or {low, high, log};\n"
            "all others stay as above. null: {widths: {layers: {low: 2, high: 3}, units: {low: 150, high: 600, step:\n"
            "50}}, batch_size: [32, 64, 128], dropout: {low: 0, high: 0.5, step: 0.1}}; also useful: learning_rate:\n"
            "{low: 1.0e-4, high: 1.0e-2, log: true}"
        ),
    )


def read_settings_files(paths: Iterable[str], models: Iterable[str], features: Iterable[str]) -> list[Found]:
    """Read the files that searches wrote, and check that they fit the campaign.

    Args:
        paths: the files.
        models: names of the campaign's models, such as `Cu_FEFF` and `universal`.
        features: features of the campaign's models.

    Raises:
        XanesflowError: a file is missing or no search wrote it, its model or features are not in the campaign, or two
            files are for the same model and features.
    """
    files: dict[tuple[str, str], str] = {}
    result = []
    for path in paths:
        found = read_found(path)
        for what, value, known, key in (
            ("the model", found.model, list(models), "subsets or models.kinds"),
            ("features", found.features, list(features), "features.models"),
        ):
            if value not in known:
                raise XanesflowError(
                    f"{path} in models.settings_files is for {what} {value}, which this campaign does not have (it has "
                    f"{', '.join(known) or 'none'}); remove the file, or add {value} to {key}."
                )
        if other := files.get((found.model, found.features)):
            raise XanesflowError(
                f"models.settings_files names {other} and {path}, both of {found.model} on {found.features}; "
                "remove one of them."
            )
        files[found.model, found.features] = path
        result.append(found)
    return result
