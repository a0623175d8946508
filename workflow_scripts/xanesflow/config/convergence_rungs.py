"""The rungs of a convergence study: one option of the configuration changed to one value each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pydantic import ValidationError

from xanesflow.codes.registry import theory_of
from xanesflow.config.campaign import Campaign
from xanesflow.config.model import Config
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_text
from xanesflow.core.sites import Subset
from xanesflow.core.text import quoted


@dataclass(frozen=True)
class ConvergenceRung:
    """One value of one option."""

    key: str  # such as `simulations.xspectra.spectrum_length`
    value: Any  # that it gets
    options: dict[str, Any]  # of the engine with it
    run: int  # number of the first rung with the same options, whose runs count for this one too

    @property
    def folder(self) -> str:
        """Name of the folder of its finished runs: the same options find them wherever they stand in the ladder."""
        return sha256_text(json.dumps(self.options, sort_keys=True))[:16]


def convergence_subset(campaign: Campaign) -> str:
    """Return the subset whose code is tried.

    Raises:
        XanesflowError: the configuration names none, or one that the campaign does not compute.
    """
    name = campaign.config.convergence.subset
    if name is None:
        raise XanesflowError(
            "convergence.subset is not set, so there is nothing to try: name a subset that this campaign computes, "
            f"such as {(campaign.run_subsets or ['Ti_XSPECTRA'])[0]}."
        )
    if name not in campaign.run_subsets or not theory_of(Subset.parse(name).theory).engine:
        raise XanesflowError(
            f"convergence.subset is {name}, which this campaign does not compute; name one of "
            f"{', '.join(campaign.run_subsets) or 'its subsets, with simulations.source: run'}."
        )
    return name


def rungs_of(campaign: Campaign) -> list[ConvergenceRung]:
    """Return the rungs, all values of the first option first.

    Raises:
        XanesflowError: there is no ladder, an option does not exist, a value is wrong, or two values of an option are
            one calculation.
    """
    subset = convergence_subset(campaign)
    theory = Subset.parse(subset).theory
    ladder: Mapping[str, Sequence[Any]] = campaign.config.convergence.ladder or theory_of(theory).ladder
    if not ladder:
        raise XanesflowError(
            f"convergence.ladder is empty, and {theory} has no ladder of its own; name options to try."
        )
    steps = [(key, value) for key, values in ladder.items() for value in values]
    options = [_changed(campaign.config, key, value).engine_options(subset) for key, value in steps]
    for (one, other), (of_one, of_other) in zip(combinations(steps, 2), combinations(options, 2), strict=True):
        if one[0] == other[0] and of_one == of_other:
            raise XanesflowError(
                f"convergence.ladder gives {one[0]} the values {quoted(one[1])} and {quoted(other[1])}, with which "
                f"{subset} is the same calculation, so that they would agree whatever they are; leave one out."
            )
    return [ConvergenceRung(*step, of, options.index(of)) for step, of in zip(steps, options, strict=True)]


def _changed(config: Config, key: str, value: Any) -> Campaign:
    """Return the campaign with one option changed."""
    values = config.model_dump(mode="json")
    *above, last = key.split(".")
    place: Any = values
    for name in above:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        raise XanesflowError(f"convergence.ladder names {key}, which is no option of the configuration; correct it.")
    before, place[last] = place[last], value
    try:
        return Campaign(Config.model_validate(values))
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise XanesflowError(
            f"convergence.ladder gives {key} the value {quoted(value)}, which is wrong: {said}; the configuration has "
            f"{quoted(before)}."
        ) from None


def as_config(answers: dict[str, Any]) -> dict[str, Any]:
    """Return options by their dotted keys as the nested sections of a config file."""
    nested: dict[str, Any] = {}
    for key, value in answers.items():
        *above, last = key.split(".")
        place = nested
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return nested
