"""Write a spectrum as text in two columns, which Athena, Larch and `xanesflow measured` read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from xanesflow.core.array_types import Floats
from xanesflow.core.text import without_controls

CROSS_SECTION = "absorption cross section in bohr^2 per atom"


def athena_text(
    energy_ev: Floats,
    mu: Floats,
    element: str,
    about: Iterable[str],
    *,
    unit: str = CROSS_SECTION,
    column: Literal["mu", "norm"] = "mu",
) -> str:
    """A spectrum as text: `#` lines that say what it is, then two columns, named `energy` and `mu`.

    The element and the edge stand in the header under the names that XDI gives them.

    Args:
        energy_ev: (n,) absolute photon energies, rising.
        mu: (n,) absorption in any unit; Athena normalises it.
        element: symbol of the absorber.
        about: lines for the header, as `sample: NiO`; their line breaks become spaces.
        unit: what `mu` is.
        column: its name; a spectrum that is called `norm` stays as it is when it is read.
    """
    lines = [
        *about,
        f"Element.symbol: {element}",
        "Element.edge: K",
        f"energy: absolute, in eV; {column}: {unit}",
        "-" * 60,
        f"energy {column}",
    ]
    header = [f"# {' '.join(without_controls(line).split())}" for line in lines]
    rows = [f"{energy:.6f} {value:.9e}" for energy, value in zip(energy_ev.tolist(), mu.tolist(), strict=True)]
    return "\n".join([*header, *rows]) + "\n"
