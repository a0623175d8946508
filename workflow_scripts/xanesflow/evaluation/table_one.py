"""Table I of arXiv 2409.19552, and whether a result can be compared with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from xanesflow.config.training_settings import PAPER_UNIVERSAL, TrainingSettings
from xanesflow.core.sites import PAPER_SUBSETS

if TYPE_CHECKING:  # the rules import this module, and need no models
    from xanesflow.models.model_kinds import ModelCard

SOURCE = "arXiv 2409.19552, Table I"

PAPER_FEATURES = "m3gnet"

# Ti, V, Cr, Mn, Fe, Co, Ni and Cu by FEFF, then Ti and Cu by VASP.
PAPER_ETA = {
    "expert": dict(zip(PAPER_SUBSETS, (6.35, 7.30, 8.54, 17.66, 7.51, 14.47, 8.45, 5.19, 4.75, 8.46), strict=True)),
    "universal": dict(zip(PAPER_SUBSETS[:8], (4.19, 5.19, 7.13, 13.15, 6.04, 9.58, 6.43, 2.75), strict=True)),
    "tuned": dict(zip(PAPER_SUBSETS, (7.63, 9.22, 10.44, 29.81, 8.98, 19.83, 11.21, 4.81, 5.27, 9.21), strict=True)),
}
"""η of ExpertXAS, UniversalXAS and Tuned-UniversalXAS on m3gnet features (arXiv 2409.19552, Table I)."""

PAPER_SIZES = dict(
    zip(
        PAPER_SUBSETS,
        (
            (5140, 641, 641), (8653, 1080, 1080), (2457, 305, 305), (13644, 1704, 1704), (9657, 1205, 1205),
            (8605, 1074, 1074), (3471, 432, 432), (3340, 416, 416), (3030, 377, 377), (2584, 321, 321),
        ),
        strict=True,
    )
)  # fmt: skip
"""Training, validation and test spectra of the published dataset (the same paper)."""

NOT_COMPARED = "not compared: "
"""Begins the caution of a result that is not compared with the paper's; its obstacle follows."""

_PAPER_ORIGIN = "FEFF"
"""The paper's tuned models all start from the universal model of FEFF."""

_ANY = {"seed", "device", "threads"}
"""Settings that make no model another kind than the paper's."""

_ANY_TUNED = {"dropout", "learning_rate"}
"""Those of tuned models in addition, which the paper chose for each subset."""

WITHIN, ABOVE, BELOW = "within the interval", "above the paper", "below the paper"
"""How a result compares with the paper's: its interval holds the paper's η, or is above (better) or below it."""


def paper_eta(model: str, subset: str) -> float | None:
    """The paper's η of a kind of model on a subset; None: the paper has none."""
    return PAPER_ETA.get(model, {}).get(subset)


def unlike_paper(card: ModelCard, subset: str) -> str:
    """How a model was trained otherwise than the paper's, in a few words; empty: it was not, or the paper has none.

    Args:
        card: of the model.
        subset: that it predicts, such as `Cu_FEFF`.
    """
    if paper_eta(card.kind, subset) is None:
        return ""
    if card.start is not None and card.start["subset"] != _PAPER_ORIGIN:
        return f"it starts from the universal model of {card.start['subset']}, not of {_PAPER_ORIGIN}"
    paper = TrainingSettings.of_model("universal" if card.kind == "universal" else subset).as_dict()
    paper |= {"scaling": "paper"} | ({"widths": list(PAPER_UNIVERSAL[0])} if card.kind == "tuned" else {})
    here = {**paper, **(card.asked or card.settings), "scaling": card.scaling}
    ignored = _ANY | (_ANY_TUNED if card.kind == "tuned" else set())
    differing = [
        f"{name} {_told(here[name])}, not {_told(wanted)}"
        for name, wanted in paper.items()
        if name not in ignored and here[name] != wanted
    ]
    return f"it was trained with {'; '.join(differing)}" if differing else ""


def _told(value: object) -> object:
    """The value of a setting as the configuration has it."""
    return "range_test" if value is None else value


def obstacle(model: str, features: str, part: str, subsets: Collection[str], unlike: str = "") -> str:
    """Why a result cannot be compared with the paper's, in a few words; empty: it can.

    Args:
        model: kind of the model.
        features: its features.
        part: the part of the split that it predicted.
        subsets: of the campaign; a universal model learned from all of them.
        unlike: how it was trained otherwise, from `unlike_paper`.
    """
    if part != "test":
        return "it was evaluated on the validation part"
    if features != PAPER_FEATURES:
        return f"it takes other features than {PAPER_FEATURES}"
    eight = PAPER_ETA["universal"].keys()
    if model != "expert" and (missing := len(eight - set(subsets))):
        return f"its universal model saw {len(eight) - missing} of the paper's {len(eight)} elements"
    return unlike


def obstacle_in(caution: object) -> str:
    """The obstacle that a `caution` of intervals.csv names; empty: it names none."""
    named = isinstance(caution, str) and caution.startswith(NOT_COMPARED)
    return str(caution).removeprefix(NOT_COMPARED) if named else ""


def has_paper_value(models: Iterable[tuple[str, str]], subsets: Collection[str], part: str) -> bool:
    """Whether any result of a campaign can be compared with the table.

    Args:
        models: kind and features of each model.
        subsets: the subsets that each of them predicts.
        part: the part of the split that they predict.
    """
    return any(
        paper_eta(model, subset) and not obstacle(model, features, part, subsets)
        for model, features in models
        for subset in subsets
    )


def size_caution(subset: str, n_train: int, n_test: int) -> str:
    """How the numbers of spectra differ from the published ones, in a few words; empty: they do not."""
    train, _, test = PAPER_SIZES[subset]
    return "" if (n_train, n_test) == (train, test) else f"{n_train} + {n_test} spectra, published {train} + {test}"


def verdict(paper: float, low: float, high: float) -> str:
    """How an interval of η compares with the paper's η: `WITHIN`, `ABOVE` or `BELOW`; empty without an interval."""
    if not low <= high:
        return ""
    return ABOVE if low > paper else BELOW if high < paper else WITHIN
