"""The section `models` of config.yaml: the models, and how they are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.codes.registry import run_features, theories
from xanesflow.config.base import Count, ModelName, Positive, Section, Seed, SubsetName, Theory, not_bool, unique
from xanesflow.config.kinds import Kind, SimpleModel
from xanesflow.config.presets import LAYERS, Preset
from xanesflow.config.search import OwnSettings, SearchSection
from xanesflow.config.training_settings import Output
from xanesflow.core.sites import Subset

if TYPE_CHECKING:
    CheapTheory = str
else:
    CheapTheory = Literal[tuple(run_features().values())]


class ModelsSection(Section):
    """The models and how they are trained."""

    preset: Preset = Field(
        "paper",
        description=(
            "paper: training as published; best: what predicts spectra best (docs/studies/accuracy.md), with its own\n"
            "features and seeds. It gives the values of all keys here, and of features.models, that are null"
        ),
    )
    kinds: Annotated[list[Kind], Field(min_length=1), AfterValidator(unique)] = Field(
        ["expert"],
        description=(
            "expert: one model per subset; universal: one over all subsets of a level of theory; tuned: one per\n"
            "subset that starts from the universal one; delta: one per subset, for its difference to cheaper runs"
        ),
    )
    delta_from: CheapTheory | SubsetName | None = Field(
        None,
        description=(
            "cheaper level of theory whose runs at the same sites delta models correct: FEFFQ (quick FEFF) or\n"
            "FEFF8L (the embedded engine), which the campaign runs, or FEFF; or its subset, Cu_FEFFQ; null: none\n"
            "(docs/guide/delta.md)"
        ),
    )
    simple_models: Annotated[list[SimpleModel], AfterValidator(unique)] = Field(
        [],
        description=(
            "simple models to compare with, on all features.models: linear (linear regression), trees\n"
            "(gradient-boosted); one per subset"
        ),
    )
    tuned_from: dict[Theory, Theory] = Field(
        {each.name: each.tuned_from for each in theories() if each.tuned_from},
        description="level of theory of the universal model that a tuned model starts from; by default its own",
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "seeds of each model, trained by one job; if there are several, the report also has their mean prediction\n"
            "(paper: [0], best: four)"
        ),
    )
    widths: dict[ModelName, Annotated[list[Count], Field(min_length=1)]] = Field(
        {},
        description="hidden layers, {Cu_FEFF: [600, 600, 400], universal: [500, 500, 550]}; by default the preset's",
    )
    batch_size: dict[ModelName, Annotated[int, Field(ge=2)]] = Field(
        {}, description="spectra per step, {Cu_FEFF: 32, universal: 32}; by default the preset's"
    )
    settings: dict[ModelName, OwnSettings] = Field(
        {},
        description=(
            "values for single models, instead of those below for all: {Cu_FEFF: {dropout: 0.3, learning_rate:\n"
            "0.002}}; a subset means its expert"
        ),
    )
    settings_files: Annotated[list[str], AfterValidator(unique)] = Field(
        [],
        description=(
            "files that `snakemake search` wrote, [results/models/search/m3gnet_Cu_FEFF.yaml]; their values replace\n"
            "those below for all models, but not a model's own in widths, batch_size and settings"
        ),
    )
    dropout: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="share of hidden units that each training step leaves out (paper: 0.5)"
    )
    tuned_dropout: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="the same for tuned models (0 for some of the paper's); null: as dropout"
    )
    output: Output | None = Field(
        None,
        description="softplus: positive (paper); difference: linear, added to the mean training spectrum (best)",
    )
    learning_rate: Positive | Literal["range_test"] | None = Field(
        None, description="step size of Adam; range_test: a range test finds it (paper)"
    )
    tuned_learning_rate: Positive | Literal["range_test"] | None = Field(
        1e-3,
        description=(
            "the same for tuned models, for which range tests often suggest far too much or too little\n"
            "(docs/studies/transfer.md); null: as learning_rate"
        ),
    )
    tuned_statistics: Literal["universal", "own"] = Field(
        "own",
        description=(
            "means and variances that normalise the layers of a tuned model in training: own: of each batch (paper);\n"
            "universal: the universal model's (docs/studies/transfer.md)"
        ),
    )
    weight_decay: Annotated[float, BeforeValidator(not_bool), Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="weight decay of AdamW (paper: 0, plain Adam)"
    )
    schedule: Literal["constant", "one_cycle"] | None = Field(
        None, description="learning rate: constant (paper), or one_cycle: rises and falls over max_epochs (best)"
    )
    average: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None,
        description="0: the weights themselves (paper); 0.999: their running mean, which keeps this share at each step",
    )
    kernel_share: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None,
        description=(
            "share of a kernel regression in the predictions of experts and tuned models; the rest is the network's\n"
            "(paper: 0, best: 0.5)"
        ),
    )
    max_epochs: Count | None = Field(None, description="longest training (paper: 1000)")
    patience: Count | None = Field(
        None,
        description="epochs without a better validation loss before training stops (paper: 50); not with one_cycle",
    )
    scaling: Literal["paper", "standardise", "auto"] = Field(
        "auto",
        description=(
            "paper: features and spectra × 1000; standardise: each feature to mean 0, deviation 1 over the training\n"
            "part; auto: paper for m3gnet alone, standardise for all others"
        ),
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description=(
            "precision of products in training: bfloat16 is a little less accurate (docs/guide/models.md); faster on\n"
            "GPUs and on processors that have it (avx512_bf16, amx), slower on others"
        ),
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the models are trained")
    threads: Count = Field(
        1,
        description=(
            "threads of a training on the CPU, which share the seeds, so that more threads than seeds do not help;\n"
            "weights are the same to the bit only with the same number and, if it is not 1, the same number of seeds"
        ),
    )
    search: SearchSection = Field(
        SearchSection(), description="search for better settings; only `snakemake search` runs it"
    )

    def universal_of(self, subset: str) -> str:
        """Level of theory of the universal model from which a subset's tuned model starts."""
        theory = Subset.parse(subset).theory
        return self.tuned_from.get(theory, theory)

    def training_of(self, kind: str, of: str, found: dict[str, Any]) -> dict[str, Any]:
        """How a model is trained: arguments of `TrainingSettings.of_model`, without the seed.

        Values that hold for all models come first; what a search found replaces them, and then the model's own values.

        Args:
            kind: `expert`, `universal` or `tuned`.
            of: a subset; for a universal model, its level of theory.
            found: settings that a search found for this model.
        """
        name, layers = "universal" if kind == "universal" else of, LAYERS[self.preset]
        fields = ("dropout", "output", "learning_rate", "weight_decay", "schedule", "average", "max_epochs", "patience")
        settings = {
            field: getattr(self, field)
            for field in (*fields, "kernel_share", "scaling", "precision", "device", "threads")
        }
        settings |= {"widths": list(layers[0]) if layers else None, "batch_size": layers[1] if layers else None}
        if kind == "tuned":
            tuned = {"dropout": self.tuned_dropout, "learning_rate": self.tuned_learning_rate}
            settings |= {field: value for field, value in tuned.items() if value is not None}
            settings["keep_statistics"] = self.tuned_statistics == "universal"
        settings |= found
        own = {"widths": self.widths.get(name), "batch_size": self.batch_size.get(name)}
        settings |= {field: value for field, value in own.items() if value is not None}
        if kind == "tuned":
            settings["widths"] = None  # those of the universal model, not those of the subset's expert
        else:
            settings |= self.settings.get(name, {})
        if settings["learning_rate"] == "range_test":
            settings["learning_rate"] = None
        return settings
