"""The descriptors of a site that an interpreter reads from a spectrum."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Descriptor:
    """One number that describes a site."""

    name: str  # its column
    title: str  # for people
    unit: str  # `1` if it has none
    method: str  # how it is computed
    classes: bool = False  # whether it is also told apart as classes, with probabilities


_ALL = (
    Descriptor(
        "oxidation_state",
        "oxidation state",
        "e",
        "bond valences (pymatgen's BVAnalyzer), else the composition's balance of charges, 0 in an element",
        classes=True,
    ),
    Descriptor("cn", "coordination number", "1", "number of nearest neighbours (CrystalNN)", classes=True),
    Descriptor("oxygens", "oxygen neighbours", "1", "how many nearest neighbours are oxygen"),
    Descriptor("ocn", "mean coordination of the neighbours", "1", "mean of the nearest neighbours' own number"),
    Descriptor("nn_mean", "mean neighbour distance", "Å", "mean distance of the nearest neighbours"),
    Descriptor("nn_std", "spread of neighbour distances", "Å", "standard deviation of these distances"),
    Descriptor("min_nn_nn", "smallest neighbour-neighbour distance", "Å", "between two nearest neighbours"),
    Descriptor(
        "bond_valence_sum",
        "bond-valence sum",
        "e",
        "of all atoms within 4 Å, with the parameters of O'Keeffe and Brese (pymatgen)",
    ),
    Descriptor(
        "charge_transfer",
        "charge transfer",
        "e",
        "of the absorber, as its FEFF or embedded-engine run prints it after the last iteration",
    ),
)

DESCRIPTORS = {each.name: each for each in _ALL}
"""All descriptors by name, in the order of tables."""

RANKED = ("oxidation_state", "cn", "ocn", "nn_std", "min_nn_nn")
"""The descriptors that RankAAE's first axes rank, in their order (arXiv 2301.04724)."""
