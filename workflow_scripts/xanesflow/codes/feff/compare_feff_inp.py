"""Read the physics of a feff.inp, and find how two of them differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural

_SILENT = {"TITLE", "END"}


@dataclass(frozen=True)
class FeffInpPotential:
    """A row of POTENTIALS: atomic number, l_max of field and multiple scattering, and stoichiometry."""

    atomic_number: int
    l_max: tuple[int, int]
    stoichiometry: float


@dataclass(frozen=True)
class FeffInput:
    """The content of a feff.inp that matters to FEFF.

    Attributes:
        cards: words after each card and on the lines below it; without titles.
        absorber: potential 0.
        potentials: the others, by atomic number.
        atomic_numbers: (n,) of the atoms, the absorber first.
        positions_a: (n, 3) in Å from the absorber.
    """

    cards: dict[str, tuple[str, ...]]
    absorber: FeffInpPotential
    potentials: dict[int, FeffInpPotential]
    atomic_numbers: NDArray[np.int64]
    positions_a: NDArray[np.float64]


def parse_feff_input(text: str) -> FeffInput:
    """Read feff.inp.

    Raises:
        XanesflowError: potentials or atoms are missing, an atom has a potential that is not listed, or a line cannot
            be read.
    """
    # Sort the lines into cards, potentials and atoms. A line that starts with capitals begins a new section.
    cards: dict[str, list[str]] = {}
    potentials: dict[int, FeffInpPotential] = {}
    atoms: list[tuple[int, list[float]]] = []
    section = ""
    for line in text.splitlines():
        words = line.split("*", 1)[0].split()
        if not words:
            continue
        try:
            if section == "POTENTIALS" and words[0].isdigit():
                number, atomic_number = int(words[0]), int(words[1])
                potentials[number] = FeffInpPotential(atomic_number, (int(words[3]), int(words[4])), float(words[5]))
            elif section == "ATOMS" and not words[0][0].isalpha():
                atoms.append((int(words[3]), [float(word) for word in words[:3]]))
            elif words[0].isupper() and words[0][0].isalpha():
                section = words[0]
                if section not in _SILENT | {"POTENTIALS", "ATOMS"}:
                    cards[section] = words[1:]
            elif section in cards:
                cards[section] += words
        except (IndexError, ValueError):
            raise XanesflowError(f"feff.inp has a line that cannot be read: {line.strip()[:60]}.") from None

    # Check that potentials and atoms fit together, and put the absorber first.
    kinds = [kind for kind, _ in atoms]
    if 0 not in potentials or kinds.count(0) != 1:
        raise XanesflowError("feff.inp has no absorber, or several: potential 0 belongs to exactly one atom.")
    if unknown := set(kinds) - potentials.keys():
        raise XanesflowError(f"feff.inp has atoms of the potential {min(unknown)}, which POTENTIALS does not list.")
    atoms.sort(key=lambda atom: atom[0] != 0)
    points = np.array([position for _, position in atoms])
    return FeffInput(
        {card: tuple(_number(word) for word in words) for card, words in cards.items()},
        potentials[0],
        {p.atomic_number: p for number, p in potentials.items() if number},
        np.array([potentials[kind].atomic_number for kind, _ in atoms]),
        points - points[0],
    )


def differences(one: FeffInput, other: FeffInput, *, tolerance_a: float = 1e-4) -> dict[str, str]:
    """Find how two inputs differ physically; empty: they are equal.

    The order of cards, potentials and atoms does not matter, nor do titles and comments.

    Args:
        one: an input.
        other: the input to compare it with.
        tolerance_a: in Å, how far an atom may be from its counterpart.

    Returns:
        Kind of difference (`cards`, `absorber`, `potentials`, `l_max`, `stoichiometry`, `cluster`) -> a sentence on it.
    """
    found = {}
    if other_cards := sorted(
        card for card in one.cards.keys() | other.cards.keys() if one.cards.get(card) != other.cards.get(card)
    ):
        found["cards"] = f"the cards {', '.join(other_cards)}"
    if one.absorber.atomic_number != other.absorber.atomic_number:
        found["absorber"] = f"Z = {one.absorber.atomic_number} and {other.absorber.atomic_number}"
    if odd := sorted(one.potentials.keys() ^ other.potentials.keys()):
        here = [z for z in odd if z in one.potentials]
        found["potentials"] = f"potentials of Z = {odd}, {'only' if here else 'not'} in the first"
    both = [(one.absorber, other.absorber)]
    both += [(one.potentials[z], other.potentials[z]) for z in one.potentials.keys() & other.potentials.keys()]
    if any(a.l_max != b.l_max for a, b in both):
        found["l_max"] = "l_max of a potential"
    if any(a.stoichiometry != b.stoichiometry for a, b in both):
        found["stoichiometry"] = "stoichiometry of a potential"
    if sentence := _cluster_differences(one, other, tolerance_a):
        found["cluster"] = sentence
    return found


def _cluster_differences(one: FeffInput, other: FeffInput, tolerance_a: float) -> str:
    near, far = _unmatched(one, other, tolerance_a), _unmatched(other, one, tolerance_a)
    if not len(near) and not len(far):
        return ""
    distances = np.linalg.norm(np.vstack([one.positions_a[near], other.positions_a[far]]), axis=1)
    return (
        f"{len(near)} of {plural(len(one.positions_a), 'atom')} of the first are not in the second, {len(far)} the "
        f"other way; they are {distances.min():.4f} to {distances.max():.4f} Å from the absorber"
    )


def _unmatched(one: FeffInput, other: FeffInput, tolerance_a: float) -> NDArray[np.int64]:
    """Find the indices of atoms of `one` that have no counterpart of their own in `other`."""
    distances, nearest = cKDTree(other.positions_a).query(one.positions_a)
    good = (distances <= tolerance_a) & (one.atomic_numbers == other.atomic_numbers[nearest])
    shared = Counter(nearest[good].tolist())
    good &= np.array([shared[int(index)] == 1 for index in nearest])
    return np.flatnonzero(~good)


def _number(word: str) -> str:
    """Write a word of a card so that equal numbers look the same: `0.0` becomes `0`."""
    try:
        return f"{float(word):g}"
    except ValueError:
        return word.upper()
