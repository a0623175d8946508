"""What the Fermi level of FEFF 9 is beyond the small field's, by a small learned model; of Cu absorbers alone.

FEFF puts a spectrum on the energy scale by its Fermi level, and so one number a site decides how well a spectrum of
the embedded engine agrees with one of FEFF 9. The small self-consistent field finds that level to some 0.5 eV. This
model, a kernel regression on composition, density, the absorber's neighbours and the field's own numbers, learned from
published FEFF 9.9.1 runs at Cu sites what to add (`studies/fit_fermi.py`; figures: docs/studies/engine.md). For a site
unlike those it learned from it says so, and the level of the field stays as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.feff8l.field import Field
from xanesflow.codes.feff8l.options import Rung

if TYPE_CHECKING:
    from pymatgen.core import Structure

Floats = NDArray[np.float64]

FIELDS = ((2.6, 2), (2.6, 6))
"""SCF radius in Å and iterations of the fields that the model learned from; of others it knows nothing."""

FIELD_TOO_LOW_EV = 0.3
"""How far such a field's level lies below FEFF 9's, the median over the development sites of the study."""

NEIGHBOURS_WITHIN = 4.0
"""Å; a site with fewer than eight neighbours counts the missing ones at this distance."""

NOT_BELIEVED, BELIEVED = 0.1, 0.3
"""Kernel with the most similar site of the training below and above which a prediction weighs nothing and all."""

_ELEMENTS = 94  # H to Pu
_TRIVALENT = 3  # lanthanoids and actinoids


@dataclass(frozen=True)
class LearnedLevel:
    """What the model says of a site.

    Attributes:
        added_ev: FEFF 9's Fermi level less that of the field.
        weight: how much it is to be believed, from 0 (a site unlike any it learned from) to 1.
    """

    added_ev: float
    weight: float


@dataclass(frozen=True)
class LevelModel:
    """A kernel regression on a subset of the training sites (subset of regressors).

    Attributes:
        mean, scale: (d,) of the features, subtracted and divided by.
        points: (m, d) scaled features of the sites that carry the kernels.
        weights: (m,) of the kernels, eV.
        level: mean, eV.
        gamma: of the kernel exp(−gamma |x − y|₁).
    """

    mean: Floats
    scale: Floats
    points: Floats
    weights: Floats
    level: float
    gamma: float

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """What to add to the levels in eV, and how far to believe it.

        Args:
            features: (n, d).

        Returns:
            (n,) eV, and (n,) weights within [0, 1], by the kernel with the most similar site of the training.
        """
        kernel = laplace((features - self.mean) / self.scale, self.points, self.gamma)
        trust = (kernel.max(axis=1) - NOT_BELIEVED) / (BELIEVED - NOT_BELIEVED)
        return np.asarray(self.level + kernel @ self.weights), np.clip(trust, 0, 1)


def laplace(first: Floats, second: Floats, gamma: float) -> Floats:
    """(n, m) exp(−gamma |x − y|₁) of (n, d) and (m, d)."""
    return np.array([np.exp(-gamma * np.abs(second - one).sum(axis=1)) for one in first])


def learned_level(element: str, traits: tuple[float, ...] | None, field: Field, rung: Rung) -> LearnedLevel | None:
    """What the model says of a site; None for an absorber or a kind of field that it does not know.

    Args:
        element: of the absorber.
        traits: of its crystal and site, as `traits_of` gives them.
        field: its self-consistent field.
        rung: settings of the field.
    """
    model = load_model(element)
    if model is None or traits is None or (rung.scf_radius, rung.scf_iterations) not in FIELDS:
        return None
    added, weights = model.predict(np.concatenate([traits, field.describe()])[None])
    return LearnedLevel(round(float(added[0]), 4), round(float(weights[0]), 4))


@cache
def load_model(element: str) -> LevelModel | None:
    """The model that ships with the package; None: there is none for the element."""
    from safetensors import safe_open

    path = files("xanesflow.codes.feff8l") / f"fermi_{element.lower()}.safetensors"
    if not path.is_file():
        return None
    with safe_open(str(path), framework="numpy") as stored:
        values = {name: stored.get_tensor(name).astype(np.float64) for name in stored.keys()}  # noqa: SIM118
        fixed = json.loads(stored.metadata()["model"])
    return LevelModel(**values, level=fixed["level"], gamma=fixed["gamma"])


def traits_of(structure: Structure, site_index: int) -> tuple[float, ...] | None:
    """`describe` of one site, rounded; None for an absorber that the package has no model for."""
    if load_model(structure[site_index].specie.symbol) is None:
        return None
    return tuple(round(float(value), 6) for value in describe(structure, [site_index])[0])


def describe(structure: Structure, sites: list[int]) -> Floats:
    """Features of sites.

    Mean, standard deviation, smallest and largest of nine properties of the elements, weighted by composition; volume
    an atom and its cube root, valence electrons a volume, number of elements; distance to the nearest neighbour and the
    mean over the nearest four, six and eight; square root of each element's share, H to Pu.

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
