"""The section `convergence` of config.yaml: options of a code that are tried on a few sites."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from xanesflow.config.base import Positive, Section, SubsetName

MOST_RUNGS = 99
_SECTIONS = ("inputs.", "simulations.")


def _ladder(ladder: dict[str, list[Any]]) -> dict[str, list[Any]]:
    for key, values in ladder.items():
        if not key.startswith(_SECTIONS):
            raise ValueError(f"the key {key} is not of a simulation; name one below inputs or simulations")
        if len(values) < 2:
            raise ValueError(f"{key} needs two values or more, from coarse to fine")
    if sum(map(len, ladder.values())) > MOST_RUNGS:
        raise ValueError(f"there are more than {MOST_RUNGS} values in all; give fewer")
    return ladder


class ConvergenceSection(Section):
    """Options that are tried on a few sites."""

    subset: SubsetName | None = Field(None, description="subset whose code is tried; null: none")
    sites: list[str] = Field([], description="sites to try, such as mp-390_000; []: the subset's first one")
    ladder: Annotated[dict[str, list[Any]], AfterValidator(_ladder)] = Field(
        {},
        description=(
            "options and their values from coarse to fine, {simulations.xspectra.spectrum_length: [10, 15, 20]}; all\n"
            "others stay as configured. {}: the code's own ladder (docs/guide/convergence.md)"
        ),
    )
    spearman: Annotated[float, Field(gt=0, le=1)] = Field(
        0.99, description="least rank correlation with the finest value for a converged one"
    )
    rms: Positive = Field(
        0.05, description="largest root mean square of the difference, each spectrum with a mean of 1"
    )
