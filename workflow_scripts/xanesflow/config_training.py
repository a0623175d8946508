"""What the configuration says of the training of each model, from all places where it says something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xanesflow.config_search import read_settings_files
from xanesflow.presets import LAYERS
from xanesflow.sites import Subset

if TYPE_CHECKING:
    from xanesflow.config_sections import Features, Models


class Trainings:
    """The part of `xanesflow.config.Config` that answers for its models.

    Which value a training gets, of several places that may name one: `models.widths`, `models.batch_size` and
    `models.settings` of that model; then a file of `models.settings_files`; then what holds for all models, or is in
    their preset.
    """

    if TYPE_CHECKING:  # fields of the configuration
        subsets: list[str]
        features: Features
        models: Models

    def model_names(self) -> list[str]:
        """What models can have settings of their own: each subset, and `universal` where such a model is trained."""
        return [*self.subsets, *(["universal"] if {"universal", "tuned"} & set(self.models.kinds) else [])]

    def searched_models(self) -> list[str]:
        """The models whose settings `snakemake search` is to find."""
        if self.models.search.models is not None:
            return self.models.search.models
        return [name for name in self.model_names() if name == "universal" or "expert" in self.models.kinds]

    def searched_subsets(self, model: str) -> list[str]:
        """The subsets that a search trains a model on: its own, or all of the theory that has most of them."""
        if model != "universal":
            return [model]
        theories = [Subset.parse(name).theory for name in self.subsets]
        theory = max(theories, key=theories.count)  # the first of several with as many
        return sorted(name for name in self.subsets if Subset.parse(name).theory == theory)

    def found_settings(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What the files of `models.settings_files` say, by model and features.

        Raises:
            XanesflowError: a file is missing, no search wrote it, or it does not fit the campaign.
        """
        files = read_settings_files(self.models.settings_files, self.model_names(), self.features.models or [])
        return {(found.model, found.features): found.settings for found in files}

    def universal_of(self, subset: str) -> str:
        """Level of theory of the universal model that a subset's tuned model goes on from."""
        theory = Subset.parse(subset).theory
        return self.models.tuned_from.get(theory, theory)  # type: ignore[call-overload]

    def training_of(self, kind: str, of: str, features: str, *, found: bool = True) -> dict[str, Any]:
        """How a model is trained: fields of `models.settings.TrainingSettings`, but for the seed.

        Args:
            kind: `expert`, `universal` or `tuned`, of which only the first two can have settings of their own.
            of: a subset, or of a universal model its level of theory.
            features: that it is trained on.
            found: whether the files of `models.settings_files` count.

        Raises:
            XanesflowError: see `found_settings`.
        """
        given, name = self.models, "universal" if kind == "universal" else of
        layers = LAYERS[given.preset]
        fields = ("output", "weight_decay", "schedule", "average", "max_epochs", "patience", "scaling", "precision")
        settings = {field: getattr(given, field) for field in (*fields, "device", "threads")}
        tuned = kind == "tuned" and given.tuned_dropout is not None
        settings["dropout"] = given.tuned_dropout if tuned else given.dropout
        rate = given.tuned_learning_rate if kind == "tuned" else None
        rate = rate or given.learning_rate
        settings["learning_rate"] = None if rate == "range_test" else rate
        settings["keep_statistics"] = kind == "tuned" and given.tuned_statistics == "universal"
        settings["widths"], settings["batch_size"] = (list(layers[0]), layers[1]) if layers else (None, None)
        if found and kind != "tuned":
            settings |= self.found_settings().get((name, features), {})
        own = {"widths": given.widths.get(name), "batch_size": given.batch_size.get(name)}
        settings |= {field: value for field, value in own.items() if value}
        return settings | (given.settings.get(name, {}) if kind != "tuned" else {})

    def trial_of(self, model: str, features: str) -> dict[str, Any]:
        """How a trial of a search is trained but for what is searched: fields of `models.settings.TrainingSettings`."""
        kind, plan = ("universal" if model == "universal" else "expert"), self.models.search
        settings = self.training_of(kind, model, features, found=False) | {"seed": plan.seed}
        # The length of a training is part of the schedule one_cycle: a shorter one would be another one.
        if settings["schedule"] == "constant" and "schedule" not in (plan.space or {}):
            settings["max_epochs"] = plan.max_epochs
        return settings
