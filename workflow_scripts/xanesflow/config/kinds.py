"""The kinds of models, and the names under which models can have their own settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args

from xanesflow.core.sites import Subset

Kind = Literal["expert", "universal", "tuned", "delta"]
SimpleModel = Literal["linear", "trees"]

KINDS: tuple[str, ...] = get_args(Kind)
SIMPLE_MODELS: tuple[str, ...] = get_args(SimpleModel)

DELTA: Final = "delta"
"""The kind of model that predicts the difference to a cheaper level of theory."""

UNIVERSAL: Final = "universal"
"""The kind of model that learns from all subsets of a level of theory."""

BEST_FIRST: tuple[Kind, ...] = ("delta", "tuned", "expert", "universal")
"""The first of these kinds that a campaign has predicts the structures of `snakemake predict`."""


def model_names(subsets: Sequence[str], kinds: Iterable[Kind]) -> list[str]:
    """Names of the models that settings are searched for: the subset of each expert, `universal` if there is one."""
    given = set(kinds)
    return [*(subsets if "expert" in given else []), *([UNIVERSAL] if {"universal", "tuned"} & given else [])]


def trained_on(model: str, subset: str) -> str:
    """The value of {of} for the model that predicts a subset: the theory of a universal model, else the subset."""
    return Subset.parse(subset).theory if model == UNIVERSAL else subset
