"""The section `models` of config.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.codes.registry import run_features, theories
from xanesflow.config.base import Count, ModelName, Positive, Section, Seed, SubsetName, not_bool, unique
from xanesflow.config.presets import LAYERS, Preset
from xanesflow.config.search import OwnSettings, Search
from xanesflow.config.sections import Theory
from xanesflow.models.training_settings import Output

Kind = Literal["expert", "universal", "tuned", "delta"]
if TYPE_CHECKING:
    CheapTheory = str
else:
    CheapTheory = Literal[("mean", *run_features().values())]


class Models(Section):
    """The models and how they are trained."""

    preset: Preset = Field(
        "paper",
        description=(
            "paper: training as published; best: what predicts spectra best (docs/accuracy.md), features and seeds\n"
            "included; it stands for all keys here, and features.models, that are null"
        ),
    )
    kinds: Annotated[list[Kind], Field(min_length=1), AfterValidator(unique)] = Field(
        ["expert"],
        description=(
            "expert: one model per subset; universal: one over all subsets of a level of theory; tuned: one per\n"
            "subset that goes on from the universal one; delta: one per subset, of its difference to the baseline"
        ),
    )
    baseline: CheapTheory | SubsetName = Field(
        "mean",
        description=(
            "what delta models correct: runs of a cheaper level of theory at the same sites, FEFF8L (the embedded\n"
            "engine, run for it) or FEFF; also as a subset, Cu_FEFF8L; mean: none (docs/delta.md)"
        ),
    )
    baselines: Annotated[list[Literal["linear", "trees"]], AfterValidator(unique)] = Field(
        [],
        description=(
            "simple models to compare with, on all features.models, per subset: linear (linear regression), trees\n"
            "(gradient-boosted)"
        ),
    )
    tuned_from: dict[Theory, Theory] = Field(
        {each.name: each.tuned_from for each in theories() if each.tuned_from},
        description="of which level of theory the universal model is that a subset's is tuned from; not named: its own",
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "a model is trained with each, all at once; of several the mean prediction is reported as well\n"
            "(paper: [0], best: four)"
        ),
    )
    widths: dict[ModelName, Annotated[list[Count], Field(min_length=1)]] = Field(
        {},
        description="hidden layers, {Cu_FEFF: [600, 600, 400], universal: [500, 500, 550]}; not named: the preset's",
    )
    batch_size: dict[ModelName, Annotated[int, Field(ge=2)]] = Field(
        {}, description="spectra per step, {Cu_FEFF: 32, universal: 32}; not named: the preset's"
    )
    settings: dict[ModelName, OwnSettings] = Field(
        {},
        description=(
            "values of single models instead of those for all below, {Cu_FEFF: {dropout: 0.3, learning_rate: 0.002}};\n"
            "a subset is its expert"
        ),
    )
    settings_files: Annotated[list[str], AfterValidator(unique)] = Field(
        [],
        description=(
            "files that `snakemake search` wrote, [results/models/search/m3gnet_Cu_FEFF.yaml]; their values take the\n"
            "place of those for all below, but not of widths, batch_size and settings of that model above"
        ),
    )
    dropout: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="share of hidden units left out at each step of the training (paper: 0.5)"
    )
    tuned_dropout: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="the same for tuned models, of which the paper has some with 0; null: as dropout"
    )
    output: Output | None = Field(
        None,
        description="softplus: positive (paper); difference: linear, added to the mean training spectrum (best)",
    )
    learning_rate: Positive | Literal["range_test"] | None = Field(
        None, description="Adam's step size; range_test: found by a range test (paper)"
    )
    tuned_learning_rate: Positive | Literal["range_test"] | None = Field(
        1e-3,
        description=(
            "the same for tuned models, for which range tests often suggest far too much or too little\n"
            "(docs/transfer.md); null: as learning_rate"
        ),
    )
    tuned_statistics: Literal["universal", "own"] = Field(
        "own",
        description=(
            "means and variances by which a tuned model's layers are normalised in training: own ones of each batch,\n"
            "as the paper, or the universal model's (docs/transfer.md)"
        ),
    )
    weight_decay: Annotated[float, BeforeValidator(not_bool), Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="of AdamW (paper: 0, plain Adam)"
    )
    schedule: Literal["constant", "one_cycle"] | None = Field(
        None, description="constant learning rate (paper), or one_cycle: up to it and down again over max_epochs (best)"
    )
    average: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="0: the weights themselves (paper); 0.999: their running mean, with this share of the old"
    )
    kernel_share: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None,
        description=(
            "share of a kernel regression in the predictions of experts and tuned models; the network has the rest\n"
            "(paper: 0, best: 0.5)"
        ),
    )
    max_epochs: Count | None = Field(None, description="longest training (paper: 1000)")
    patience: Count | None = Field(
        None,
        description="epochs without a better validation loss after which training stops (paper: 50); not one_cycle",
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
            "of the products in training; bfloat16 is faster on GPUs, and on processors that know it (avx512_bf16,\n"
            "amx), slower on others, and a little less accurate (docs/models.md)"
        ),
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the models are trained")
    threads: Count = Field(
        1,
        description=(
            "of a training on the cpu; seeds are shared out to them, so as many as seeds are of use;\n"
            "the weights are the same bit by bit for the same number only"
        ),
    )
    search: Search = Field(Search(), description="search for better settings, only made by `snakemake search`")

    def training_of(self, kind: str, of: str, found: dict[str, Any]) -> dict[str, Any]:
        """How a model is trained: arguments of `models.training_settings.TrainingSettings.of_model`, but for the seed.

        Args:
            kind: `expert`, `universal` or `tuned`.
            of: a subset, or of a universal model its level of theory.
            found: what a search found for it, in place of what holds for all models.
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
            settings["widths"] = None  # the universal model's, whatever those of the subset's expert are
        else:
            settings |= self.settings.get(name, {})
        if settings["learning_rate"] == "range_test":
            settings["learning_rate"] = None
        return settings
