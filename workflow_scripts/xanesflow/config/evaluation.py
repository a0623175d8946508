"""The section `evaluation` of config.yaml: how the models are judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xanesflow.config.base import Section


class EvaluationSection(Section):
    """How the models are judged."""

    part: Literal["test", "val"] = Field(
        "test",
        description=(
            "part of the split that the figures are taken on; val only where test runs are not at hand: it also\n"
            "stopped the training, so its figures are a little too good, and the report says so"
        ),
    )
