"""ACSF and SOAP by dscribe: the conventional descriptors that arXiv 2409.19552 compares with (its Fig. 6).

Both have a block of columns for each element, or pair of elements, that may surround a site. For 94 elements these are
40,561 (ACSF) or 159,612 (SOAP) columns, nearly all of them 0. With columns for the elements of a campaign only, each
campaign would have different columns, and still gigabytes of them. So all elements have their columns, and fixed random
signs sum them into 1024 numbers,

    y = R x / √1024,      R(i, j) = ±1 by a hash of the block's name, never by the data.

This keeps distances and inner products to about 1/√1024 = 3 % (Johnson and Lindenstrauss; for descriptors of many
elements see Darby et al., Phys. Rev. Lett. 131, 028001 (2023)), and with them the principal components that a model
sees (`models.network.reduction`). Columns mean the same for every subset and campaign, and new elements add none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.core.errors import NotFeaturizableError, XanesflowError
from xanesflow.core.files import sha256_text
from xanesflow.core.parallel import map_in_processes
from xanesflow.features.featurize_structures import FeatureFailure, Features, Progress, failure, groups
from xanesflow.features.neighbors import bond_graph

DIMENSION = 1024
"""Numbers per site after the projection."""

CUTOFF = 6.0
"""Å."""

G2 = ((1.0, 0.0), (0.1, 0.0), (0.01, 0.0))
"""η in Å⁻² and R_s in Å of ACSF's radial functions."""

G4 = (
    (0.001, 1.0, -1.0), (0.001, 2.0, -1.0), (0.001, 4.0, -1.0),
    (0.01, 1.0, -1.0), (0.01, 2.0, -1.0), (0.01, 4.0, -1.0),
    (0.1, 1.0, -1.0), (0.1, 2.0, -1.0), (0.1, 3.0, -1.0),
)  # fmt: skip
"""η in Å⁻², ζ and λ of ACSF's angular functions."""

N_MAX, L_MAX, SIGMA = 3, 3, 1.0
"""SOAP's radial and angular functions, and the width of its atoms in Å."""

TASK_SITES = 64
"""Sites that a process gets at a time, about a third of a second of work."""

_ELEMENTS = frozenset(range(1, 119))

Block = tuple[tuple[int, ...], slice]
"""The elements (atomic numbers) of a block of columns, and its place among the columns."""

_MEANINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "acsf": ("atom-centred symmetry functions", {"r_cut": CUTOFF, "g2": list(G2), "g4": list(G4)}),
    "soap": (
        "smooth overlap of atomic positions",
        {"r_cut": CUTOFF, "n_max": N_MAX, "l_max": L_MAX, "sigma": SIGMA, "rbf": "gto"},
    ),
}
"""What each descriptor is, and its parameters."""


class DescriptorFeaturizer:
    """ACSF (Behler, J. Chem. Phys. 134, 074106 (2011)) or SOAP (Bartók et al., Phys. Rev. B 87, 184115 (2013)).

    Use it like a `featurize_structures.Featurizer`; it has the same attributes. Unlike a graph network, it needs no
    rows of other atoms, so only the wanted ones are computed.

    Args:
        name: `acsf` or `soap`, with the paper's parameters.
        workers: processes.
    """

    def __init__(self, name: str, *, workers: int = 1) -> None:
        if workers < 1:
            raise XanesflowError(f"workers ({workers}) must be 1 or more.")
        self.name = name
        self.workers = workers
        self.dimension = DIMENSION
        title, parameters = _MEANINGS[name]
        values = ", ".join(f"{key} {value}" for key, value in parameters.items())
        self.meaning = f"{title} by dscribe ({values}; Å), the columns of all elements projected to {DIMENSION} numbers"
        text = json.dumps({"name": name, "dimension": DIMENSION, **parameters}, sort_keys=True)
        self.weights_hash = sha256_text(text)
        self.packages = ("dscribe", "ase", "pymatgen-core")

    def compute(
        self,
        structures: Sequence[Structure],
        progress: Progress | None = None,
        atoms: Sequence[Sequence[int]] | None = None,
    ) -> list[Features | FeatureFailure]:
        """Descriptors of many structures' atoms; see `featurize_structures.Featurizer.compute`."""
        wanted = [range(len(structure)) for structure in structures] if atoms is None else atoms
        tasks = list(groups(range(len(structures)), [len(each) for each in wanted], TASK_SITES))
        work = ([(structures[index], wanted[index]) for index in task] for task in tasks)
        results: list[Features | FeatureFailure] = []
        for outcomes in map_in_processes(self.outcomes_of_task, work, self.workers if len(tasks) > 1 else 1):
            results += outcomes
            if progress is not None:
                progress(len(results), len(structures))
        return results

    def outcomes_of_task(self, task: list[tuple[Structure, Sequence[int]]]) -> list[Features | FeatureFailure]:
        """Rows of the wanted atoms of each structure, or why there are none."""
        outcomes: list[Features | FeatureFailure] = []
        for structure, atoms in task:
            try:
                outcomes.append(self.describe(structure, atoms))
            except Exception as error:  # one bad structure must not stop the others
                outcomes.append(failure(error))
        return outcomes

    def describe(self, structure: Structure, atoms: Sequence[int]) -> Features:
        """(atoms, 1024) float32 for some atoms of a structure; NaN for an atom without a neighbour within the cutoff.

        Raises:
            NotFeaturizableError: the structure is disordered, has two atoms in one place, or no atom has a neighbour.
        """
        isolated = bond_graph(structure, CUTOFF, _ELEMENTS).isolated
        columns, blocks = raw_columns(self.name, structure, atoms)
        rows = np.zeros((len(atoms), DIMENSION))
        for elements, where in blocks:
            rows += columns[:, where] @ signs(self.name, elements, where.stop - where.start)
        described: Features = (rows / np.sqrt(DIMENSION)).astype(np.float32)
        if not np.isfinite(described).all():
            raise NotFeaturizableError("dscribe's numbers are not all finite")
        described[np.isin(atoms, isolated)] = np.nan
        return described


def raw_columns(name: str, structure: Structure, atoms: Sequence[int]) -> tuple[NDArray[np.float64], list[Block]]:
    """The columns that dscribe gives for the elements of a structure, and which columns belong to which elements.

    Args:
        name: `acsf` or `soap`.
        structure: an ordered crystal.
        atoms: the atoms whose rows are wanted, from 0.
    """
    from ase import Atoms  # heavy

    numbers = [int(site.specie.Z) for site in structure]
    descriptor, blocks = _descriptor(name, tuple(sorted(set(numbers))))
    if not len(atoms):
        return np.zeros((0, descriptor.get_number_of_features())), blocks
    # dscribe looks for neighbours around the cell, so all atoms must be in it.
    positions = structure.lattice.get_cartesian_coords(structure.frac_coords % 1.0)
    crystal = Atoms(numbers, positions=positions, cell=structure.lattice.matrix, pbc=True)
    return np.asarray(descriptor.create(crystal, centers=[int(atom) for atom in atoms])), blocks


@lru_cache(maxsize=64)  # most structures share their elements with another one
def _descriptor(name: str, elements: tuple[int, ...]) -> tuple[Any, list[Block]]:
    """The descriptor of dscribe for structures of these elements (ascending), and the blocks of its columns."""
    from dscribe.descriptors import ACSF, SOAP  # heavy

    pairs = [(first, second) for k, second in enumerate(elements) for first in elements[: k + 1]]
    if name == "soap":
        soap = SOAP(species=elements, periodic=True, r_cut=CUTOFF, n_max=N_MAX, l_max=L_MAX, sigma=SIGMA, rbf="gto")
        return soap, [(pair, soap.get_location(pair)) for pair in pairs]
    acsf = ACSF(species=elements, periodic=True, r_cut=CUTOFF, g2_params=G2, g4_params=G4)
    # First G1 and G2 of each element, then G4 of the pairs, in the order of a lower triangle.
    lengths = [((element,), 1 + len(G2)) for element in elements] + [(pair, len(G4)) for pair in pairs]
    ends = np.cumsum([length for _, length in lengths]).tolist()
    return acsf, [(of, slice(end - length, end)) for (of, length), end in zip(lengths, ends, strict=True)]


@lru_cache(maxsize=512)
def signs(name: str, elements: tuple[int, ...], length: int) -> NDArray[np.float64]:
    """(length, 1024) of +1 and -1, the rows of the projection for one block of columns.

    They are the bits of SHAKE-256 of the block's name, such as `soap 8 29`, and so the same everywhere and for ever.
    """
    text = " ".join([name, *map(str, elements)])
    drawn = np.frombuffer(hashlib.shake_256(text.encode()).digest(length * DIMENSION // 8), dtype=np.uint8)
    return np.unpackbits(drawn).reshape(length, DIMENSION).astype(np.float64) * 2 - 1
