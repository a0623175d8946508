"""Full multiple scattering at the absorber: the trace of its dipole block, energy by energy.

The problem is (1 - G T) X = G[:, absorber, l = 1], a dense complex linear system in the channels (l, m) of all atoms
in a sphere, with three right-hand sides (J. J. Rehr and R. C. Albers, Rev. Mod. Phys. 72, 621 (2000), section IV).
Four things make it fast and leave the physics unchanged:

- mirrors, two-fold axes and inversion of the site split the system by symmetry (exact);
- bonds with the same vector share one propagator (exact);
- channels that hardly scatter (see `negligible_t`) and distant atoms (see `n_near`) scatter once: they enter to first
  order in their t, while the others scatter to all orders on the way there and back;
- single precision (`scipy.linalg`, as `numpy.linalg` computes in double), which keeps some five digits at the condition
  number of the system.

Tests and a benchmark compare it with the dense solution of the same problem (tests/support/dense_scattering.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.spatial import cKDTree

from xanesflow.codes.feff8l.harmonics import channel_l, hankel, parities, real_harmonics, triple_integrals
from xanesflow.codes.feff8l.symmetry import SignGroup, find_sign_group
from xanesflow.core.array_types import Complexes, Floats

Integers = NDArray[np.int64]

_P = (3, 1, 2)  # channels of l = 1 that vary as x, y, z
_PLANS_KEPT = 3


def bond_factors(vectors: Floats, l_max: int) -> Floats:
    """Real factors B of the propagator G[L', L] = i Σ_l'' B_l''[L', L] h_l''(pR).

    Args:
        vectors: (u, 3) from the atom of L to the atom of L'.
        l_max: largest l.

    Returns:
        (2 l_max + 1, u, (l_max + 1)², (l_max + 1)²).
    """
    integrals = triple_integrals(l_max)
    l = channel_l(l_max)
    harmonics = real_harmonics(vectors, 2 * l_max)
    factors = np.zeros((2 * l_max + 1, len(vectors), len(l), len(l)))
    for l2 in range(2 * l_max + 1):
        channels = slice(l2 * l2, (l2 + 1) ** 2)
        power = l[None, :] + l2 - l[:, None]  # power of i for [L, L']; even wherever the integral is not zero
        sign = np.where(power % 4 == 0, 1.0, -1.0)
        factors[l2] = (
            4 * pi * np.einsum("abc,uc->uba", integrals[..., channels] * sign[..., None], harmonics[:, channels])
        )
    return factors


@dataclass(frozen=True)
class _Plan:
    """Where the elements of one representation's matrix come from, for one choice of kept channels.

    Kept channels scatter to all orders. The rows are all channels, the kept ones first; the columns are the kept ones.
    Each matrix element is an unnormalised sum over the orbit of the column's atom, which amounts to a similarity
    transform of the symmetric matrix.
    """

    places: Integers  # (order, rows, columns) indices into the list [g, -g, 0] of all propagators' elements
    kind: Integers  # (rows,) potential of each row's atom
    l: Integers  # (rows,) of each row's channel
    size: Integers  # (rows,) number of atoms in the row's orbit
    n_kept: int  # number of columns
    absorber: list[int]  # rows of the absorber's dipole channels in this representation


class Scattering:
    """The scattering problem of one cluster, set up once for all energies.

    Args:
        positions: (n, 3) in bohr, the absorber first, then by distance.
        kinds: (n,) index of each atom's potential.
        l_max: largest l.
        negligible_t: a potential's channels scatter only once if (2l + 1) |t_l h_2l(pR)| stays below this, where R is
            the distance to the nearest neighbour; a negative number: all scatter to all orders.
        n_near: number of nearest atoms, in whole shells, that scatter to all orders; the others scatter once. None:
            all atoms scatter to all orders.
    """

    def __init__(
        self,
        positions: Floats,
        kinds: Integers,
        *,
        l_max: int = 3,
        negligible_t: float = 0.05,
        n_near: int | None = None,
    ) -> None:
        self.l_max, self.negligible_t = l_max, negligible_t
        self.kinds = kinds
        self.n_near = len(positions) if n_near is None else n_near
        self.group: SignGroup = find_sign_group(positions - positions[0], kinds)
        self.positions = (positions - positions[0]) @ self.group.frame.T
        self.orbits, self.takes = _orbits(self.group.images)
        self.representatives = self.orbits[:, 0]
        self._find_nearest()
        self._share_vectors()
        self._plans: dict[tuple[int, ...], list[_Plan]] = {}

    @cached_property
    def representations(self) -> list[list[int]]:
        """Components of the dipole (0, 1, 2 for x, y, z), grouped by representation."""
        together: dict[bytes, list[int]] = {}
        for component in range(3):
            together.setdefault(self.group.signs[:, component].tobytes(), []).append(component)
        return list(together.values())

    def traces(self, momenta: Complexes, t: tuple[Complexes, ...]) -> Complexes:
        """The trace of the absorber's dipole block of X at each energy, (ne,).

        Args:
            momenta: (ne,) complex wave numbers, 1/bohr.
            t: for each potential, (at least l_max + 1, ne).
        """
        within = t[: int(self.kinds.max()) + 1]  # without potentials whose atoms all lie outside the sphere
        stacked = np.array([one[: self.l_max + 1] for one in within])  # (potentials, l, ne)
        return np.array([self._trace(momentum, stacked[..., e]) for e, momentum in enumerate(momenta)])

    def _trace(self, momentum: complex, t: Complexes) -> complex:
        near = np.abs(hankel(momentum * self._nearest, 2 * self.l_max)[::2]).T  # |h_2l|, (potentials, l)
        strong = np.abs(t) * near * self._degeneracy > self.negligible_t
        kept = np.where(strong.any(axis=1), self.l_max - strong[:, ::-1].argmax(axis=1), 0)
        kept[0] = max(kept[0], 1)  # the absorber's dipole block is always needed
        key = tuple(int(l) for l in kept)
        if key not in self._plans:
            if len(self._plans) >= _PLANS_KEPT:  # energies increase, so the oldest plan is not needed again
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = [self._plan(kept, components) for components in self.representations]
        elements = self._elements(momentum)
        single = t.astype(np.complex64)
        return sum(_solve(plan, elements, single) for plan in self._plans[key])

    def _find_nearest(self) -> None:
        """Find the distance from the atoms of each potential to their nearest neighbour, (potentials,)."""
        distance, _ = cKDTree(self.positions).query(self.positions, k=2)
        self._nearest = np.full(self.kinds.max() + 1, 1e3)  # bohr; stays for a lone atom and for kinds without atoms
        np.minimum.at(self._nearest, self.kinds, distance[:, 1])
        self._degeneracy = 2 * np.arange(self.l_max + 1) + 1

    def _share_vectors(self) -> None:
        """Find the distinct vectors from near atoms to representatives, up to sign, and their angular factors."""
        # A vector and its opposite share one entry: the one whose first nonzero component is positive.
        vectors = self.positions[self.representatives][:, None] - self.positions[None, : self.n_near]
        flat = np.round(vectors.reshape(-1, 3), 4)
        leading = np.take_along_axis(flat, (np.abs(flat) > 1e-9).argmax(axis=1)[:, None], axis=1)[:, 0]
        self._opposite = (leading < 0).reshape(vectors.shape[:2])
        canonical = np.where(leading[:, None] < 0, -flat, flat) + 0.0
        _, first, number = np.unique(canonical, axis=0, return_index=True, return_inverse=True)
        self._number = number.reshape(vectors.shape[:2])
        chosen = vectors.reshape(-1, 3)[first] * np.where(leading[first] < 0, -1, 1)[:, None]
        lengths = np.linalg.norm(chosen, axis=1)
        itself = lengths < 1e-6
        chosen[itself], lengths[itself] = [0, 0, 1], 1.0  # from an atom to itself: left out of the matrix
        self._lengths = lengths
        # By symmetry G(-R)[L', L] = G(R)[L, L'] = (-1)^(l + l') G(R)[L', L], so half of the elements suffice.
        l = channel_l(self.l_max)
        upper = np.triu_indices(len(l))
        order = np.lexsort((upper[1], upper[0], l[upper[1]], l[upper[0]]))  # groups elements by (l, l')
        row, column = upper[0][order], upper[1][order]
        self._element = np.empty((len(l), len(l)), dtype=np.int64)
        self._element[row, column] = self._element[column, row] = np.arange(len(row))
        # Only some l'' contribute to a block (l, l'), so each block keeps only their factors.
        factors = bond_factors(chosen, self.l_max)
        self._blocks: list[tuple[slice, list[tuple[int, NDArray[np.float32]]]]] = []
        for l1 in range(self.l_max + 1):
            for l2 in range(l1, self.l_max + 1):
                inside = np.flatnonzero((l[row] == l1) & (l[column] == l2))
                block = slice(int(inside[0]), int(inside[-1]) + 1)
                terms = [
                    (l3, np.ascontiguousarray(factors[l3][:, row[block], column[block]].T, dtype=np.float32))
                    for l3 in range(l2 - l1, l1 + l2 + 1, 2)
                ]
                self._blocks.append((block, terms))

    def _elements(self, momentum: complex) -> NDArray[np.complex64]:
        """All propagators' elements at one energy, as the list [g, -g, 0] into which plans index."""
        outgoing = 1j * hankel(momentum * self._lengths, 2 * self.l_max)
        real, imaginary = outgoing.real.astype(np.float32), outgoing.imag.astype(np.float32)
        n_pairs, n_vectors = self._blocks[-1][0].stop, len(self._lengths)
        values = np.zeros(2 * n_pairs * n_vectors + 1, dtype=np.complex64)
        g = values[: n_pairs * n_vectors].reshape(n_pairs, n_vectors)
        for block, terms in self._blocks:
            l3, factor = terms[0]
            g.real[block] = factor * real[l3]
            g.imag[block] = factor * imaginary[l3]
            for l3, factor in terms[1:]:
                g.real[block] += factor * real[l3]
                g.imag[block] += factor * imaginary[l3]
        np.negative(values[: n_pairs * n_vectors], out=values[n_pairs * n_vectors : -1])
        return values

    def _plan(self, kept: Integers, components: list[int]) -> _Plan:
        """Find the channels of a representation and where their matrix elements come from."""
        # An orbit carries a channel only if no operation that fixes its atom changes the channel's sign.
        character = self.group.signs[:, components[0]]
        l = channel_l(self.l_max)
        signs = _signs(self.group.signs, character, self.l_max)  # (order, channels)
        fixed = self.group.images[:, self.representatives] == self.representatives  # (order, orbits)
        allowed = ((signs[:, None] == 1) | ~fixed[..., None]).all(axis=0)  # (orbits, channels)
        orbit, channel = np.nonzero(allowed)
        # Channels that scatter only once go last.
        kind = self.kinds[self.representatives[orbit]]
        weak = (l[channel] > kept[kind]) | (self.orbits.max(axis=1)[orbit] >= self.n_near)
        arranged = np.argsort(weak, kind="stable")
        orbit, channel, kind = orbit[arranged], channel[arranged], kind[arranged]
        n_kept = int((~weak).sum())
        size = (self.takes >= 0).sum(axis=1)

        # For each atom of the column's orbit, find the element of the shared vector, its sign, or the 0 at the end.
        n_pairs, n_vectors = self._blocks[-1][0].stop, len(self._lengths)
        rows, columns = orbit[:, None], orbit[None, :n_kept]
        element = self._element[channel[:, None], channel[None, :n_kept]]
        odd = (l[channel][:, None] + l[channel][None, :n_kept]) % 2 == 1
        below = channel[:, None] > channel[None, :n_kept]
        places = np.empty((self.takes.shape[1], len(orbit), n_kept), dtype=np.intp)
        for k in range(len(places)):
            atom, operation = self.orbits[columns, k], self.takes[columns, k]
            negative = (odd & (below ^ self._opposite[rows, atom])) ^ (signs[operation, channel[None, :n_kept]] < 0)
            places[k] = element * n_vectors + self._number[rows, atom] + negative * (n_pairs * n_vectors)
            absent = (self.representatives[rows] == atom) | (operation < 0)
            places[k][absent] = 2 * n_pairs * n_vectors
        absorber = [int(np.flatnonzero((orbit == 0) & (channel == _P[c]))[0]) for c in components]
        return _Plan(places, kind, l[channel], size[orbit], n_kept, absorber)


def _solve(plan: _Plan, elements: NDArray[np.complex64], t: NDArray[np.complex64]) -> complex:
    """Trace of one representation: kept channels to all orders, the others to first order in their t.

    If X is the solution among the kept channels K, the wave that arrives in another channel is
    y = G[:, absorber] + G[:, K] t X. Since G is symmetric, that channel adds y t y.
    """
    matrix = elements.take(plan.places[0])
    for places in plan.places[1:]:
        matrix += elements.take(places)
    scatter = t[plan.kind, plan.l]
    n = plan.n_kept
    right = matrix[:, plan.absorber]
    weighted = matrix * scatter[:n]
    system = np.negative(weighted[:n])
    system[np.diag_indices(n)] += 1
    # numpy.linalg.solve would compute in double precision, at twice the time. LAPACK reads rows as columns.
    factors = lu_factor(system.T, overwrite_a=True, check_finite=False)
    solution = lu_solve(factors, right[:n], trans=1, check_finite=False)
    arriving = right[n:] + weighted[n:] @ solution
    once = (arriving**2 * (scatter[n:] * plan.size[n:])[:, None]).sum()
    return complex(sum(solution[row, column] for column, row in enumerate(plan.absorber)) + once)


def _orbits(images: Integers) -> tuple[Integers, Integers]:
    """Find the orbits of atoms under a group, and the operations that generate them.

    Args:
        images: (order, n) index of the atom onto which each operation maps each atom.

    Returns:
        (n_orbits, order) members of each orbit, the representative first; short rows are padded with it. Then, in the
        same shape, the operation that maps the representative to each member; -1 in the padding.
    """
    order, n = images.shape
    seen = np.zeros(n, dtype=bool)
    orbits, takes = [], []
    for atom in range(n):
        if seen[atom]:
            continue
        members, operations = np.unique(images[:, atom], return_index=True)
        arranged = np.argsort(members != atom, kind="stable")
        members, operations = members[arranged], operations[arranged]
        seen[members] = True
        missing = order - len(members)
        orbits.append(np.concatenate([members, np.full(missing, atom)]))
        takes.append(np.concatenate([operations, np.full(missing, -1)]))
    return np.array(orbits), np.array(takes)


def _signs(signs: Integers, character: Integers, l_max: int) -> Integers:
    """χ(g) σ_L(g) for each operation and channel, (order, (l_max + 1)²)."""
    parity = parities(l_max)
    flipped = (signs < 0)[:, :, None]
    return np.asarray(character[:, None] * np.where(flipped, parity[None], 1).prod(axis=1))
