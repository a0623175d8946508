"""The section `predict` of config.yaml: which structures `snakemake predict` predicts, and with which models."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from xanesflow.config.base import Section, unique


class PredictSection(Section):
    """Spectra of structures that were not simulated; only `snakemake predict` makes them."""

    structures: str | None = Field(
        None, description="folder of structure files, laid out as structures.directory; null: nothing to predict"
    )
    models: Annotated[list[str], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "checkpoints, folders with a model's seeds, or folders of `xanesflow model export`; null: the campaign's\n"
            "own: for each subset the delta model (over the embedded engine or quick FEFF), else the tuned one, else\n"
            "the expert, else the universal one, on the first of features.models"
        ),
    )
