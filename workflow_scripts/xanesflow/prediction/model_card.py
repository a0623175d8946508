"""Writes the model card, the README.md of an exported model, from what the checkpoints record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xanesflow.codes.registry import theory_of
from xanesflow.core.sites import Subset
from xanesflow.core.templates import environment

_KINDS = {
    "expert": "a network trained on one element at one level of theory",
    "universal": "one network trained on all elements of a level of theory",
    "tuned": "the universal network trained further on one element",
    "kernel": "a kernel regression of one element at one level of theory",
    "delta": "a correction that turns spectra of a cheaper level of theory into those of a better one",
}


def model_card(about: Mapping[str, Any]) -> str:
    """The card as Markdown, from the content of `model.json`."""
    theories = dict.fromkeys(Subset.parse(name).theory for name in about["subsets"])
    return (
        environment("xanesflow.prediction")
        .get_template("model_card.md")
        .render(
            about=about,
            kind=_KINDS.get(about["model"], "a network"),
            theories={theory: theory_of(theory).title for theory in theories},
        )
    )
