"""The section `interpretation` of config.yaml: models that read what a site is like from its spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.config.base import Section, Seed, not_bool, unique

InterpreterModel = Literal["trees", "network", "blend", "rank_aae"]


class InterpretationSection(Section):
    """Models from a spectrum back to its site; only `snakemake interpretation` makes them."""

    models: Annotated[list[InterpreterModel], Field(min_length=1), AfterValidator(unique)] = Field(
        ["trees", "network", "blend", "rank_aae"],
        description=(
            "trees: extra trees; network: a small network; blend: the mean of both and a kernel regression; rank_aae:\n"
            "an autoencoder whose axes rank descriptors (minutes a seed)"
        ),
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)] = Field(
        [0], description="seeds that every model is trained with; of rank_aae the best one is kept"
    )
    splits: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=20)] = Field(
        0,
        description=(
            "random splits by material (70/15/15) on which the models are trained and judged too, besides the\n"
            "campaign's own split: their mean says more than a single split"
        ),
    )

    def fits(self, subsets: Sequence[str], *, rank_aae: bool | None = None) -> list[dict[str, str]]:
        """Every model that is trained, as the wildcards interpreter, subset, split and seed.

        The subset is also `all`, all subsets together, if there are several and the model is not RankAAE. The split is
        `campaign` or a number.

        Args:
            subsets: of the campaign.
            rank_aae: True: only RankAAE; False: all others; None: both.
        """
        found = []
        for model in self.models:
            if rank_aae not in (None, model == "rank_aae"):
                continue
            together = ["all"] if len(subsets) > 1 and model != "rank_aae" else []
            for subset in [*subsets, *together]:
                for split in ["campaign", *map(str, range(self.splits))]:
                    of = {"interpreter": model, "subset": subset, "split": split}
                    found += [{**of, "seed": str(seed)} for seed in self.seeds]
        return found
