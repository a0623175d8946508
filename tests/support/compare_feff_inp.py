"""How two feff.inp differ in what matters to FEFF; the order of cards, potentials and atoms does not, nor do titles."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Potential:
    """A row of POTENTIALS: atomic number, l_max of field and multiple scattering, and stoichiometry."""

    atomic_number: int
    l_max: tuple[int, int]
    stoichiometry: float


@dataclass
class FeffInput:
    """Words of each card; potential 0 and the others by atomic number; atoms, the absorber first, in Å from it."""

    absorber: Potential = None
    cards: dict[str, tuple[str, ...]] = field(default_factory=dict)
    potentials: dict[int, Potential] = field(default_factory=dict)
    atomic_numbers: np.ndarray = None
    positions_a: np.ndarray = None


def parse_feff_input(text):
    read, of_kind, atoms, section = FeffInput(), {}, [], ""
    for line in text.splitlines():
        words = line.split("*", 1)[0].split()
        if not words:
            continue
        if words[0].isupper() and words[0][0].isalpha():
            section = words.pop(0)
        if section == "POTENTIALS" and words:
            kind, number, _, field_l, scattering_l, amount = words[:6]
            of_kind[kind] = Potential(int(number), (int(field_l), int(scattering_l)), float(amount))
        elif section == "ATOMS" and words:
            atoms.append((words[3] != "0", of_kind[words[3]].atomic_number, *map(float, words[:3])))
        elif section not in ("TITLE", "END", "POTENTIALS", "ATOMS"):
            read.cards[section] = (*read.cards.get(section, ()), *map(_plain, words))
    table = np.array(sorted(atoms, key=lambda atom: atom[0]))
    assert (table[:, 0] == 0).sum() == 1, "potential 0 belongs to exactly one atom"
    read.absorber = of_kind.pop("0")
    read.potentials = {each.atomic_number: each for each in of_kind.values()}
    read.atomic_numbers, read.positions_a = table[:, 1].astype(int), table[:, 2:] - table[0, 2:]
    return read


def differences(one, other):
    """The kinds of difference, each with both values; atoms may be 1e-4 Å apart."""
    both = [(one.absorber, other.absorber)]
    both += [(one.potentials[z], other.potentials[z]) for z in one.potentials.keys() & other.potentials.keys()]
    pairs = {
        "cards": (one.cards, other.cards),
        "absorber": (one.absorber.atomic_number, other.absorber.atomic_number),
        "potentials": (set(one.potentials), set(other.potentials)),
        "l_max": ([a.l_max for a, _ in both], [b.l_max for _, b in both]),
        "stoichiometry": ([a.stoichiometry for a, _ in both], [b.stoichiometry for _, b in both]),
        "cluster": (_unmatched(one, other), _unmatched(other, one)),
    }
    return {kind: f"{a} and {b}" for kind, (a, b) in pairs.items() if (a or b if kind == "cluster" else a != b)}


def _unmatched(one, other):
    """Positions of the atoms of `one` that have no counterpart of their own in `other`."""
    distances, nearest = cKDTree(other.positions_a).query(one.positions_a)
    good = (distances <= 1e-4) & (one.atomic_numbers == other.atomic_numbers[nearest])
    shared = Counter(nearest[good].tolist())
    good &= np.array([shared[int(index)] == 1 for index in nearest])
    return one.positions_a[~good].tolist()


def _plain(word):
    """A word of a card, so that equal numbers look the same: `0.0` becomes `0`."""
    try:
        return f"{float(word):g}"
    except ValueError:
        return word.upper()
