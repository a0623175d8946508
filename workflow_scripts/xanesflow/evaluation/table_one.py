"""Table I of arXiv 2409.19552, and how far a result may stand beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

SOURCE = "arXiv 2409.19552, Table I"

PAPER_FEATURES = "m3gnet"

PAPER_ETA = {
    "expert": {
        "Ti_FEFF": 6.35, "V_FEFF": 7.30, "Cr_FEFF": 8.54, "Mn_FEFF": 17.66, "Fe_FEFF": 7.51, "Co_FEFF": 14.47,
        "Ni_FEFF": 8.45, "Cu_FEFF": 5.19, "Ti_VASP": 4.75, "Cu_VASP": 8.46,
    },
    "universal": {
        "Ti_FEFF": 4.19, "V_FEFF": 5.19, "Cr_FEFF": 7.13, "Mn_FEFF": 13.15, "Fe_FEFF": 6.04, "Co_FEFF": 9.58,
        "Ni_FEFF": 6.43, "Cu_FEFF": 2.75,
    },
    "tuned": {
        "Ti_FEFF": 7.63, "V_FEFF": 9.22, "Cr_FEFF": 10.44, "Mn_FEFF": 29.81, "Fe_FEFF": 8.98, "Co_FEFF": 19.83,
        "Ni_FEFF": 11.21, "Cu_FEFF": 4.81, "Ti_VASP": 5.27, "Cu_VASP": 9.21,
    },
}  # fmt: skip
"""η of ExpertXAS, UniversalXAS and Tuned-UniversalXAS on m3gnet features (arXiv 2409.19552, Table I)."""

PAPER_SIZES = {
    "Ti_FEFF": (5140, 641, 641), "V_FEFF": (8653, 1080, 1080), "Cr_FEFF": (2457, 305, 305),
    "Mn_FEFF": (13644, 1704, 1704), "Fe_FEFF": (9657, 1205, 1205), "Co_FEFF": (8605, 1074, 1074),
    "Ni_FEFF": (3471, 432, 432), "Cu_FEFF": (3340, 416, 416), "Ti_VASP": (3030, 377, 377), "Cu_VASP": (2584, 321, 321),
}  # fmt: skip
"""Training, validation and test spectra of the published dataset (the same paper)."""

WITHIN, ABOVE, BELOW = "within the interval", "above the paper", "below the paper"
"""How a result stands to the paper's: its interval holds the paper's η, or ours is larger (better) or smaller."""


def paper_eta(model: str, subset: str) -> float | None:
    """The paper's η of a kind of model on a subset; None: it has none."""
    return PAPER_ETA.get(model, {}).get(subset)


def obstacle(model: str, features: str, part: str, subsets: Collection[str]) -> str:
    """Why a result is of another kind than the paper's, in a few words; empty: it is of the same kind.

    Args:
        model: kind of the model.
        features: that it takes.
        part: that it was judged on.
        subsets: of the campaign, as a universal model learned from all of them.
    """
    if part != "test":
        return "it was judged on the validation part"
    if features != PAPER_FEATURES:
        return f"it takes other features than {PAPER_FEATURES}"
    eight = PAPER_ETA["universal"].keys()
    if model != "expert" and (missing := len(eight - set(subsets))):
        return f"its universal model saw {len(eight) - missing} of the paper's {len(eight)} elements"
    return ""


def has_paper_value(models: Iterable[tuple[str, str]], subsets: Collection[str], part: str) -> bool:
    """Whether a result of a campaign can stand beside one of the table.

    Args:
        models: kind and features of each model.
        subsets: that each of them predicts.
        part: that they are judged on.
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
    """How an interval of η stands to the paper's, as `WITHIN`, `ABOVE` or `BELOW`; empty without an interval."""
    if not low <= high:
        return ""
    return ABOVE if low > paper else BELOW if high < paper else WITHIN
