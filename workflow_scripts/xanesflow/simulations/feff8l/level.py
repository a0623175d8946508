"""The Fermi level that FEFF 9 finds for a material, by a small learned model; of Cu absorbers alone.

FEFF puts a spectrum on the energy scale by its Fermi level, and so one number a site decides how well a spectrum of
the embedded engine agrees with one of FEFF 9. The small self-consistent field finds that level to some 0.5 eV. This
model, a kernel regression on composition, density and the absorber's nearest neighbours, learned the levels of
published FEFF 9.9.1 runs at Cu sites (`benchmarks/fit_fermi.py`, figures in docs/engine.md). For a material unlike
those it learned from it says so, and the level of the field stays as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Element, Structure
from scipy.spatial.distance import cdist

from xanesflow.simulations.feff8l.inputs import LearnedLevel

Floats = NDArray[np.float64]

NEIGHBOURS_WITHIN = 4.0
"""Å; a site with fewer than eight neighbours counts the missing ones at this distance."""

NOT_BELIEVED, BELIEVED = 0.3, 0.7
"""Shares of the kernel's variance explained below and above which a prediction weighs nothing and all."""

_TRIVALENT = 3  # lanthanoids and actinoids


@dataclass(frozen=True)
class LevelModel:
    """A kernel regression on a subset of the training sites (subset of regressors).

    Attributes:
        mean, scale: (d,) of the features, subtracted and divided by.
        points: (m, d) scaled features of the sites that carry the kernels.
        weights: (m,) of the kernels, eV.
        level: mean level, eV.
        gamma: of the kernel exp(−gamma |x − y|₁).
    """

    mean: Floats
    scale: Floats
    points: Floats
    weights: Floats
    level: float
    gamma: float

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Levels in eV and how far to believe them.

        Args:
            features: (n, d).

        Returns:
            (n,) levels, and (n,) weights within [0, 1], by the share of the kernel's prior variance that the points
            explain at the site (the predictive variance of a Gaussian process).
        """
        kernel = laplace((features - self.mean) / self.scale, self.points, self.gamma)
        among = laplace(self.points, self.points, self.gamma) + 1e-6 * np.eye(len(self.points))
        explained = np.einsum("nm,nm->n", kernel, np.linalg.solve(among, kernel.T).T)
        return np.asarray(self.level + kernel @ self.weights), np.clip(
            (explained - NOT_BELIEVED) / (BELIEVED - NOT_BELIEVED), 0, 1
        )


def laplace(first: Floats, second: Floats, gamma: float) -> Floats:
    """(n, m) exp(−gamma |x − y|₁) of (n, d) and (m, d)."""
    return np.asarray(np.exp(-gamma * cdist(first, second, "cityblock")))


def learned_level(structure: Structure, site_index: int) -> LearnedLevel | None:
    """What the model says of a site; None for an absorber it does not know.

    Args:
        structure: an ordered structure.
        site_index: 0-based index of the absorber.
    """
    model = load_model(structure[site_index].specie.symbol)
    if model is None:
        return None
    levels, weights = model.predict(describe(structure, [site_index]))
    return LearnedLevel(round(float(levels[0]), 4), round(float(weights[0]), 4))


@cache
def load_model(element: str) -> LevelModel | None:
    """The model that ships with the package; None: there is none for the element."""
    from safetensors import safe_open

    path = files("xanesflow.simulations.feff8l") / f"fermi_{element.lower()}.safetensors"
    if not path.is_file():
        return None
    with safe_open(str(path), framework="numpy") as stored:
        values = {name: stored.get_tensor(name).astype(np.float64) for name in stored.keys()}  # noqa: SIM118
        fixed = json.loads(stored.metadata()["model"])
    return LevelModel(**values, level=fixed["level"], gamma=fixed["gamma"])


def describe(structure: Structure, sites: list[int]) -> Floats:
    """Features of sites.

    Mean, standard deviation, smallest and largest of nine properties of the elements, weighted by composition; volume
    an atom and its cube root, valence electrons a volume, number of elements; distance to the nearest neighbour and the
    mean over the nearest four, six and eight.

    Args:
        structure: an ordered structure.
        sites: 0-based indices.

    Returns:
        (n, 44) features.
    """
    shares = structure.composition.fractional_composition
    share = np.array([shares[element] for element in shares])
    table = np.array([_properties(element.symbol) for element in shares])
    mean = share @ table
    spread = np.sqrt(share @ (table - mean) ** 2)
    volume = structure.volume / len(structure)
    material = [*mean, *spread, *table.min(0), *table.max(0), volume, volume ** (1 / 3), mean[3] / volume, len(share)]
    rows = []
    for site in sites:
        distances = np.sort([n.nn_distance for n in structure.get_neighbors(structure[site], NEIGHBOURS_WITHIN)])
        nearest = np.concatenate([distances, np.full(8, NEIGHBOURS_WITHIN)])[:8]
        rows.append([*material, nearest[0], nearest[:4].mean(), nearest[:6].mean(), nearest.mean()])
    return np.array(rows)


@cache
def _properties(symbol: str) -> tuple[float, ...]:
    """Electronegativity, Z, row, valence electrons, radius, ionization energy, Mendeleev number, affinity, d metal?"""
    element = Element(symbol)
    valence = element.group if element.group <= 12 else element.group - 10
    if element.is_lanthanoid or element.is_actinoid:
        valence = _TRIVALENT
    negativity = element.data.get("X")
    return (
        float(negativity) if isinstance(negativity, int | float) and np.isfinite(negativity) else 0.0,
        float(element.Z),
        float(element.row),
        float(valence),
        float(element.atomic_radius or 1.5),
        float(element.ionization_energy or 10.0),
        float(element.mendeleev_no or 50.0),
        float(element.electron_affinity or 0.0),
        float(element.is_transition_metal),
    )
