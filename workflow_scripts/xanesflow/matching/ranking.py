"""A candidate's spectrum, and its place in a ranking."""

from __future__ import annotations

from dataclasses import dataclass

from xanesflow.matching.likeness import Curve, Likeness
from xanesflow.matching.surroundings import Surroundings


@dataclass(frozen=True, eq=False)
class Reference:
    """A candidate's spectrum, computed or measured."""

    id: str  # of the candidate
    name: str  # of the mineral, compound or sample; may be empty
    formula: str  # reduced; empty if it is not known
    curve: Curve  # its normalised spectrum
    metal: bool = False  # whether it is a metal or an alloy
    carbonate: bool = False  # whether it is a carbonate
    surroundings: Surroundings | None = None  # of the absorber; None if they are not known

    @property
    def short_name(self) -> str:
        """Name without what follows a comma; formula or id where there is no name."""
        return self.name.split(",")[0] or self.formula or self.id


@dataclass(frozen=True, eq=False)
class Row:
    """A ranked candidate."""

    rank: int  # from 1 on
    reference: Reference  # the candidate
    likeness: Likeness  # how well it fits
    certainty: float  # probability that it is the right one, if the right one is among the candidates
