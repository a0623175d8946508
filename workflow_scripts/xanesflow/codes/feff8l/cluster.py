"""The cluster around an absorber, cut from a crystal structure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Element, Structure

from xanesflow.codes.feff8l.fermi_level import traits_of
from xanesflow.codes.feff8l.write_inputs import Feff8lCluster, Potential
from xanesflow.core.errors import BadSiteError, XanesflowError
from xanesflow.core.text import plural

CLUSTER_RADIUS = 9.0
"""Å; wider than the sphere of multiple scattering, since the potentials of atoms at its rim depend on neighbours."""

SHORTEST = 0.5
"""Å; atoms closer than this are a mistake in the structure."""

_MAX_POTENTIALS = 11  # besides the absorber's; the programs' arrays hold no more
_MAX_ATOMS = 900


def cut_cluster(structure: Structure, site_index: int) -> Feff8lCluster:
    """Cut the cluster around a site. Each element gets one potential, and the absorber one of its own.

    Args:
        structure: an ordered structure.
        site_index: 0-based index of the absorber.

    Raises:
        BadSiteError: two atoms are closer than 0.5 Å, the absorber has no neighbour, or the cluster has more elements
            than the programs take.
        XanesflowError: the structure has no such site.
    """
    if not 0 <= site_index < len(structure):
        raise XanesflowError(
            f"site {site_index} lies outside the structure, which has {plural(len(structure), 'atom')}"
        )
    absorber = structure[site_index]
    neighbors = structure.get_sites_in_sphere(absorber.coords, CLUSTER_RADIUS)
    positions = np.array([site.coords - absorber.coords for site in neighbors])
    numbers = np.array([site.specie.Z for site in neighbors], dtype=np.int64)
    distances = np.linalg.norm(positions, axis=1)
    # Break ties between equidistant atoms, so that the same site gives the same input on every machine.
    order = np.lexsort((*np.round(positions.T, 4), numbers, np.round(distances, 4)))[:_MAX_ATOMS]
    positions, numbers, distances = positions[order], numbers[order], distances[order]
    if len(positions) < 2:
        raise BadSiteError(
            "isolated_atom",
            f"site {site_index} ({absorber.specie.symbol}) has no neighbour within {CLUSTER_RADIUS:g} Å: an isolated "
            "atom has no fine structure to simulate",
        )
    _check_distances(positions, numbers)
    elements = list(dict.fromkeys(int(z) for z in numbers[1:]))
    if len(elements) > _MAX_POTENTIALS:
        raise BadSiteError(
            "too_many_elements",
            f"{plural(len(elements), 'element')} around site {site_index}, and FEFF 8 takes {_MAX_POTENTIALS}",
        )
    # The formula gives the counts. The absorber's is nearly zero if other atoms of its element represent the element.
    kinds = [Element.from_Z(int(numbers[0])), *(Element.from_Z(z) for z in elements)]
    formula = structure.composition.reduced_composition  # the same for a cell and its supercells
    counts = [float(formula[kind]) for kind in kinds]
    if kinds[0] in kinds[1:]:
        counts[0] = 1e-4
    potentials = [Potential(int(k.Z), k.symbol, count) for k, count in zip(kinds, counts, strict=True)]
    potential_of = np.array([0, *(elements.index(int(z)) + 1 for z in numbers[1:])], dtype=np.int64)
    return Feff8lCluster(positions, tuple(potentials), potential_of, traits_of(structure, site_index))


def _check_distances(positions: NDArray[np.float64], numbers: NDArray[np.int64]) -> None:
    near = positions[: 1 + int((np.linalg.norm(positions, axis=1) < 6.0).sum())]
    distances = np.linalg.norm(near[:, None] - near[None], axis=2) + 10 * np.eye(len(near))
    if distances.min() < SHORTEST:
        i, j = np.unravel_index(distances.argmin(), distances.shape)
        names = [Element.from_Z(int(numbers[k])).symbol for k in sorted((int(i), int(j)))]
        raise BadSiteError(
            "atoms_too_close",
            f"{names[0]} and {names[1]} near the absorber are {distances.min():.2f} Å apart, less than {SHORTEST} Å",
        )
