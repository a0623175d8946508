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
            "part of the split that judges the models. Take val only if you have no test runs: it also stopped the\n"
            "training, so its figures are a little too good, and the report says so"
        ),
    )
