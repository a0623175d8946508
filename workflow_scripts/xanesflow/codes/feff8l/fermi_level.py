"""A small learned model predicts by how much FEFF 9's Fermi level exceeds that of the small field, for Cu absorbers.

FEFF places a spectrum on the energy scale by its Fermi level. This one number therefore decides how well a spectrum of
the embedded engine agrees with one of FEFF 9. The small self-consistent field finds it to some 0.5 eV. The model
learned the difference from published FEFF 9.9.1 runs at Cu sites (`studies/fit_fermi.py`; docs/studies/engine.md shows
the figures). It is a kernel regression on composition, density, the absorber's neighbours and the field's own numbers.
For a site unlike the training sites its weight falls to 0, and the field's level stays unchanged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from xanesflow.codes.feff8l.field import Field
from xanesflow.codes.feff8l.options import Rung
from xanesflow.core.array_types import Floats

if TYPE_CHECKING:
    from pymatgen.core import Structure


FIELDS = ((2.6, 2), (2.6, 6))
"""SCF radius in Å and iterations of the fields in the training data; the model is not used for other fields."""

FIELD_TOO_LOW_EV = 0.3
"""By how much the level of such a field lies below FEFF 9's: the median over the study's development sites."""

NEIGHBOURS_WITHIN = 4.0
"""Å; if a site has fewer than eight neighbours, the missing ones are placed at this distance."""

NOT_BELIEVED, BELIEVED = 0.1, 0.3
"""A prediction weighs 0 below the first and 1 above the second value of the kernel with the nearest training site."""

_ELEMENTS = 94  # H to Pu
_TRIVALENT = 3  # lanthanoids and actinoids


@dataclass(frozen=True)
class LearnedLevel:
    """The model's prediction for a site."""

    added_ev: float  # FEFF 9's Fermi level minus that of the field
    weight: float  # trust in the prediction, from 0 (the site resembles no training site) to 1


@dataclass(frozen=True)
class LevelModel:
    """A kernel regression on a subset of the training sites (subset of regressors).

    Attributes:
        mean, scale: (d,) by which features are shifted and divided.
        points: (m, d) scaled features of the sites at the kernels' centres.
        weights: (m,) of the kernels, eV.
        level: mean of the predicted quantity, eV.
        gamma: of the kernel exp(−gamma |x − y|₁).
    """

    mean: Floats
    scale: Floats
    points: Floats
    weights: Floats
    level: float
    gamma: float

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Predict what to add to the levels, and how much to trust it.

        Args:
            features: (n, d).

        Returns:
            (n,) in eV, and (n,) weights in [0, 1] that follow from the kernel with the most similar training site.
        """
        kernel = laplace((features - self.mean) / self.scale, self.points, self.gamma)
        trust = (kernel.max(axis=1) - NOT_BELIEVED) / (BELIEVED - NOT_BELIEVED)
        return np.asarray(self.level + kernel @ self.weights), np.clip(trust, 0, 1)


def laplace(first: Floats, second: Floats, gamma: float) -> Floats:
    """(n, m) exp(−gamma |x − y|₁) of (n, d) and (m, d)."""
    return np.array([np.exp(-gamma * np.abs(second - one).sum(axis=1)) for one in first])


def learned_level(element: str, traits: tuple[float, ...] | None, field: Field, rung: Rung) -> LearnedLevel | None:
    """The model's prediction for a site; None if it does not cover the absorber or the kind of field.

    Args:
        element: symbol of the absorber.
        traits: of crystal and site, from `traits_of`.
        field: the site's self-consistent field.
        rung: settings of the field.
    """
    model = load_model(element)
    if model is None or traits is None or (rung.scf_radius, rung.scf_iterations) not in FIELDS:
        return None
    added, weights = model.predict(np.concatenate([traits, field.describe()])[None])
    return LearnedLevel(round(float(added[0]), 4), round(float(weights[0]), 4))


@cache
def load_model(element: str) -> LevelModel | None:
    """The model that ships with the package; None if there is none for the element."""
    from safetensors import safe_open

    path = files("xanesflow.codes.feff8l") / f"fermi_{element.lower()}.safetensors"
    if not path.is_file():
        return None
    with safe_open(str(path), framework="numpy") as stored:
        values = {name: stored.get_tensor(name).astype(np.float64) for name in stored.keys()}  # noqa: SIM118
        fixed = json.loads(stored.metadata()["model"])
    return LevelModel(**values, level=fixed["level"], gamma=fixed["gamma"])


def traits_of(structure: Structure, site_index: int) -> tuple[float, ...] | None:
    """The features of one site (`describe`), rounded; None if the package has no model for the absorber."""
    if load_model(structure[site_index].specie.symbol) is None:
        return None
    return tuple(round(float(value), 6) for value in describe(structure, [site_index])[0])


def describe(structure: Structure, sites: list[int]) -> Floats:
    """Features of sites.

    They are: mean, standard deviation, smallest and largest value of nine properties of the elements, weighted by
    composition; volume per atom and its cube root, valence electrons per volume, number of elements; distance to the
    nearest neighbour, mean over the nearest four, six and eight; square root of each element's share, H to Pu.

    Args:
        structure: an ordered structure.
        sites: 0-based indices.

    Returns:
        (n, 138) features.
    """
    shares = structure.composition.fractional_composition
    share = np.array([shares[element] for element in shares])
    table = np.array([_properties(element.symbol) for element in shares])
    mean = share @ table
    spread = np.sqrt(share @ (table - mean) ** 2)
    volume = structure.volume / len(structure)
    material = [*mean, *spread, *table.min(0), *table.max(0), volume, volume ** (1 / 3), mean[3] / volume, len(share)]
    parts = np.zeros(_ELEMENTS)
    for element, part in zip(shares, share, strict=True):
        if element.Z <= _ELEMENTS:
            parts[element.Z - 1] = np.sqrt(part)
    rows = []
    for site in sites:
        distances = np.sort([n.nn_distance for n in structure.get_neighbors(structure[site], NEIGHBOURS_WITHIN)])
        nearest = np.concatenate([distances, np.full(8, NEIGHBOURS_WITHIN)])[:8]
        rows.append([*material, nearest[0], nearest[:4].mean(), nearest[:6].mean(), nearest.mean(), *parts])
    return np.array(rows)


@cache
def _properties(symbol: str) -> tuple[float, ...]:
    """Electronegativity, Z, row, valence electrons, radius, ionization energy, Mendeleev number, affinity, d metal?"""
    from pymatgen.core import Element  # the job of a site needs none

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
