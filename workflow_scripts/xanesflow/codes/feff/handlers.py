"""What can be corrected in a FEFF run that failed, as custodian's handlers.

Each handler knows the kinds of faults that it is for (see `logs.diagnose`) and gives the next change of feff.inp, or
none where there is nothing left to try. custodian's own `UnconvergedErrorHandler` is not taken: it wants pymatgen's
four files beside feff.inp, goes on from a pot.bin of the failed run, and takes a log without any line on convergence
for a good one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from custodian.custodian import ErrorHandler

from xanesflow.codes.feff.cards import folp_of, scf_of, with_folp, with_scf
from xanesflow.codes.feff.read_logs import Fault

MOST_ITERATIONS = 100
"""FEFF's own limit for the self-consistent field."""

LEAST_CA1 = 0.05
"""The convergence factor is halved, but not to below this."""

ACCEPTED_CA1 = 0.2
"""FEFF's default; it refuses more than 0.5."""

SMALLER = 0.8
"""By this the radius of the self-consistent field is made smaller, once."""

LEAST_RADIUS_A = 3.0

OVERLAPS = (1.0, 0.9, 0.8)
"""What FOLP is set to, one after the other. Any card FOLP also ends FEFF's automatic overlap of up to 1.15."""


@dataclass(frozen=True)
class Correction:
    """A change of feff.inp.

    Attributes:
        card: of feff.inp.
        value: which of the card's values.
        before: its value so far.
        after: its new value.
        why: kind of the fault that asked for it.
    """

    card: str
    value: str
    before: float | str
    after: float
    why: str

    def as_dict(self) -> dict[str, Any]:
        """As run.json holds it; `what`, `from` and `to` are what the corrections of all engines have."""
        named = asdict(self)
        return {"what": f"{self.card} {self.value}", "from": named.pop("before"), "to": named.pop("after"), **named}


class Attempted(Protocol):
    """What a handler must know of a site's attempts."""

    smaller_radius: bool
    corrections: list[Correction]

    def fault(self) -> Fault | None:
        """What went wrong in the last attempt."""
        ...

    def may_go_on(self) -> bool:
        """Whether there may be another attempt."""
        ...

    def read_input(self) -> str:
        """feff.inp as it was used last."""
        ...

    def write_input(self, text: str, correction: Correction) -> None:
        """Set feff.inp for the next attempt."""
        ...


class FeffHandler(ErrorHandler):
    """A correction that changes feff.inp.

    Args:
        site: the site's attempts.
    """

    kinds: tuple[str, ...] = ()

    def __init__(self, site: Attempted) -> None:
        self._site = site

    def as_dict(self) -> dict[str, Any]:
        """What custodian.json holds of it."""
        return {"@module": type(self).__module__, "@class": type(self).__name__}

    def check(self, directory: str = "./") -> bool:
        """Whether the last attempt failed for what this handler corrects."""
        fault = self._site.fault()
        return fault is not None and fault.kind in self.kinds

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Change feff.inp, if there is something left to try and another attempt may be made."""
        fault = self._site.fault()
        assert fault is not None
        changed = self.change(self._site.read_input(), fault) if self._site.may_go_on() else None
        if changed is None:
            return {"errors": [fault.detail], "actions": None}
        text, correction = changed
        self._site.write_input(text, correction)
        return {"errors": [fault.detail], "actions": [correction.as_dict()]}

    def change(self, text: str, fault: Fault) -> tuple[str, Correction] | None:
        """The feff.inp to try next, and what changed in it; None if nothing is left."""
        raise NotImplementedError


class Unconverged(FeffHandler):
    """The self-consistent field: more iterations, then a smaller convergence factor, then a smaller radius."""

    kinds = ("unconverged", "bad_counts")

    def change(self, text: str, fault: Fault) -> tuple[str, Correction] | None:
        """See the class; more iterations do not help where electrons are counted wrongly."""
        if (scf := scf_of(text)) is None:
            return None
        after: float
        before: float
        if fault.kind == "unconverged" and scf.iterations < MOST_ITERATIONS:
            name, value, before, after = "iterations", "iterations", scf.iterations, MOST_ITERATIONS
        elif scf.ca1 / 2 >= LEAST_CA1 - 1e-9:
            name, value, before, after = "ca1", "ca1", scf.ca1, round(scf.ca1 / 2, 4)
        elif self._radius_may_shrink() and (smaller := round(scf.radius_a * SMALLER, 1)) >= LEAST_RADIUS_A:
            name, value, before, after = "radius_a", "radius", scf.radius_a, smaller
        else:
            return None
        return with_scf(text, scf.with_(**{name: after})), Correction("SCF", value, before, after, fault.kind)

    def _radius_may_shrink(self) -> bool:
        return self._site.smaller_radius and all(each.value != "radius" for each in self._site.corrections)


class FactorRefused(FeffHandler):
    """A convergence factor that FEFF does not take."""

    kinds = ("ca1",)

    def change(self, text: str, fault: Fault) -> tuple[str, Correction] | None:
        """FEFF's default, unless it is smaller already."""
        if (scf := scf_of(text)) is None or scf.ca1 <= ACCEPTED_CA1:
            return None
        return with_scf(text, scf.with_(ca1=ACCEPTED_CA1)), Correction("SCF", "ca1", scf.ca1, ACCEPTED_CA1, fault.kind)


class MuffinTins(FeffHandler):
    """Muffin tins that overlap too much: a smaller overlap for the potential that the log names."""

    kinds = ("overlap",)

    def change(self, text: str, fault: Fault) -> tuple[str, Correction] | None:
        """The next smaller of `OVERLAPS`."""
        if fault.potential is None:
            return None
        before = folp_of(text, fault.potential)
        after = next((overlap for overlap in OVERLAPS if before is None or overlap < before - 1e-9), None)
        if after is None:
            return None
        told = "automatic" if before is None else before
        correction = Correction("FOLP", f"potential {fault.potential}", told, after, fault.kind)
        return with_folp(text, fault.potential, after), correction


HANDLERS = (FactorRefused, MuffinTins, Unconverged)
