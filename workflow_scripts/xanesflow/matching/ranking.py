"""A candidate's spectrum, and its place in a ranking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from xanesflow.core.text import first_of, printable
from xanesflow.matching.likeness import Curve, Likeness
from xanesflow.matching.surroundings import Surroundings
from xanesflow.measured import MeasuredSpectrum


class _Comparable(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def scan(self) -> frozenset[str] | None: ...


Compared = TypeVar("Compared", bound=_Comparable)


def without_itself(spectrum: MeasuredSpectrum, given: Iterable[Compared]) -> tuple[list[Compared], list[str]]:
    """Candidates or standards that share no scan with a spectrum, and sentences on those that are or hold it."""
    others, itself, sharing = list[Compared](), False, list[str]()
    for each in given:
        if not each.scan or spectrum.scan.isdisjoint(each.scan):
            others.append(each)
        elif each.scan == spectrum.scan:
            itself = True
        else:
            sharing.append(printable(each.id, 40))
    have = f"{first_of(sharing)} {'has' if len(sharing) == 1 else 'have'} a scan in common with {spectrum.source}."
    return others, [*[f"{spectrum.source} is the measured spectrum itself."] * itself, *[have] * bool(sharing)]


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
    scan: frozenset[str] | None = None  # of a measured spectrum (`MeasuredSpectrum.scan`)

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

    @property
    def cells(self) -> list[str]:
        """What tables show of it: oxidation state, shift (eV), width (eV), RMS, certainty."""
        fit, around = self.likeness, self.reference.surroundings
        state = "" if around is None or around.oxidation_state is None else f"{around.oxidation_state:+.3g}"
        return [state, f"{fit.shift_ev:+.2f}", f"{fit.width_ev:.2f}", f"{fit.rms:.3f}", f"{self.certainty:.0%}"]
