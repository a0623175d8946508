"""The section `splits` of config.yaml: which sites train, validate and test a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from xanesflow.config.base import Section, Seed, Share


def _whole(shares: tuple[float, ...]) -> tuple[float, ...]:
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"the three shares add up to {sum(shares):g} and must add up to 1")
    return shares


class SplitsSection(Section):
    """Which sites train, validate and test a model. A material is never in two parts."""

    files: str | None = Field(
        None,
        description=(
            "folder with published <subset>_{train,val,test}.txt, one <material id>_<site> on each line;\n"
            "null: the paper's balanced split by material, 80/10/10"
        ),
    )
    fractions: Annotated[tuple[Share, Share, Share], AfterValidator(_whole)] = Field(
        (0.8, 0.1, 0.1), description="share of training, validation and test part in the balanced split"
    )
    seed: Seed = Field(42, description="orders materials with equally many sites at random, in the balanced split")
