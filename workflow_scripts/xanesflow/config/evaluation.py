"""The section `evaluation` of config.yaml: how the models are evaluated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xanesflow.config.base import Section


class EvaluationSection(Section):
    """How the models are evaluated."""

    part: Literal["test", "val"] = Field(
        "test",
        description=(
            "part of the split on which the models are evaluated. Take val only if you have no test runs: val also\n"
            "stopped the training, so its figures are a little too good, and the report says so"
        ),
    )
