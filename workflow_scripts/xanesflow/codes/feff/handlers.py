"""Corrections of failed FEFF runs, as custodian's handlers.

Each handler names the kinds of faults that it corrects (see `read_logs.diagnose`). It gives the next change of
feff.inp, or none when nothing is left to try. custodian's own `UnconvergedErrorHandler` does not fit: it needs
pymatgen's four files in addition to feff.inp, continues from the pot.bin of the failed run, and accepts a log without
any line on convergence.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from custodian.custodian import ErrorHandler

from xanesflow.codes.feff.cards import scf_of, with_scf
from xanesflow.codes.feff.read_logs import Fault

MOST_ITERATIONS = 100
"""FEFF's own limit on iterations of the self-consistent field."""

LEAST_CA1 = 0.05
"""The convergence factor is halved, but never below this value."""

ACCEPTED_CA1 = 0.2
"""FEFF's default; FEFF refuses more than 0.5."""

SMALLER = 0.8
"""The radius of the self-consistent field is multiplied by this, once."""

LEAST_RADIUS_A = 3.0


@dataclass(frozen=True)
class Correction:
    """A change of feff.inp."""

    card: str  # of feff.inp
    value: str  # name of the value that changes
    before: float | str  # old value
    after: float  # new value
    why: str  # kind of the fault that it corrects

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for run.json; the corrections of all engines have `what`, `from` and `to`."""
        named = asdict(self)
        return {"what": f"{self.card} {self.value}", "from": named.pop("before"), "to": named.pop("after"), **named}


class Attempted(Protocol):
    """What a handler needs to know about a site's attempts."""

    smaller_radius: bool
    corrections: list[Correction]

    def fault(self) -> Fault | None:
        """Return what went wrong in the last attempt."""
        ...

    def may_go_on(self) -> bool:
        """Return whether another attempt is allowed."""
        ...

    def read_input(self) -> str:
        """Return feff.inp of the last attempt."""
        ...

    def write_input(self, text: str, correction: Correction) -> None:
        """Set feff.inp for the next attempt."""
        ...


class FeffHandler(ErrorHandler):
    """A handler that corrects a fault by a change of feff.inp."""

    kinds: tuple[str, ...] = ()

    def __init__(self, site: Attempted) -> None:
        self._site = site

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for custodian.json."""
        return {"@module": type(self).__module__, "@class": type(self).__name__}

    def check(self, directory: str = "./") -> bool:
        """Return whether the last attempt failed with a fault that this handler corrects."""
        fault = self._site.fault()
        return fault is not None and fault.kind in self.kinds

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Change feff.inp, if something is left to try and another attempt is allowed."""
        fault = self._site.fault()
        assert fault is not None
        changed = self.change(self._site.read_input(), fault) if self._site.may_go_on() else None
        if changed is None:
            return {"errors": [fault.detail], "actions": None}
        text, correction = changed
        self._site.write_input(text, correction)
        return {"errors": [fault.detail], "actions": [correction.as_dict()]}

    def change(self, text: str, fault: Fault) -> tuple[str, Correction] | None:
        """Return the feff.inp to try next, and what changed in it; None if nothing is left to try."""
        raise NotImplementedError


class Unconverged(FeffHandler):
    """Corrects the self-consistent field: more iterations, then a smaller factor ca1, then a smaller radius."""

    kinds = ("unconverged", "bad_counts")

    def change(self, text: str, fault: Fault) -> tuple[str, Correction] | None:
        """See the class. More iterations do not help where FEFF counts electrons wrongly, so they are skipped."""
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
    """Corrects a convergence factor that FEFF refuses."""

    kinds = ("ca1",)

    def change(self, text: str, fault: Fault) -> tuple[str, Correction] | None:
        """Set FEFF's default, unless the factor is smaller already."""
        if (scf := scf_of(text)) is None or scf.ca1 <= ACCEPTED_CA1:
            return None
        return with_scf(text, scf.with_(ca1=ACCEPTED_CA1)), Correction("SCF", "ca1", scf.ca1, ACCEPTED_CA1, fault.kind)


HANDLERS = (FactorRefused, Unconverged)
"""FOLP, which FEFF advises where muffin tins overlap too much, is not among them: it does not change what FEFF finds
fault with (the Norman radius of the potential, and the radii of atoms whose Norman radius reaches their neighbour), and
one card FOLP ends the automatic overlap of all other potentials."""
