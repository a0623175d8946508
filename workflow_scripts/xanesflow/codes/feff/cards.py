"""Change cards of a feff.inp, and leave the rest of the file unchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_SCF = re.compile(r"^[^\S\n]*SCF\b([^\n*!]*).*$", re.MULTILINE | re.IGNORECASE)
_DEFAULTS = ("", "0", "30", "0.2", "1")  # FEFF's own, for values that the card leaves out


@dataclass(frozen=True)
class Scf:
    """The card SCF."""

    radius_a: float  # Å around each atom within which the field scatters
    solid: str  # 0 for solids, 1 for molecules
    iterations: int  # the most that FEFF may take, up to 100
    ca1: float  # convergence factor, the share of the new density in the mixed one
    mixed: str  # iterations of simple mixing before Broyden's method begins

    def __str__(self) -> str:
        return f"SCF {self.radius_a:g} {self.solid} {self.iterations} {self.ca1:g} {self.mixed}"

    def with_(self, **changed: float) -> Scf:
        """Return the card with some values changed."""
        return replace(self, **changed)  # type: ignore[arg-type]


def scf_of(text: str) -> Scf | None:
    """Read the card SCF of a feff.inp; None if there is none that can be read."""
    if (found := _SCF.search(text)) is None:
        return None
    words = [*found[1].split(), *_DEFAULTS[len(found[1].split()) :]]
    try:
        return Scf(float(words[0]), words[1], int(words[2]), float(words[3]), words[4])
    except ValueError:
        return None


def with_scf(text: str, scf: Scf) -> str:
    """Replace the card SCF of a feff.inp."""
    return _SCF.sub(str(scf), text, count=1)
