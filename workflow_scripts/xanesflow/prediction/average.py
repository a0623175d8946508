"""From sites to materials: the spectrum of all absorbers of one element in a crystal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.array_types import Floats
from xanesflow.core.sites import parent_of


@dataclass(frozen=True, eq=False)
class Averages:
    """Spectra of k whole materials, as an experiment on a powder sees them; all in bohr² per atom.

    The mean of the cells that represent one disordered crystal, weighted with their atoms, has the crystal's id.

    A material's spectrum is the mean over its sites, weighted with their multiplicities. The ends of its bands are the
    same means of the ends of the sites' bands. This assumes that the errors of a material's sites are fully correlated;
    if they were independent, the bands would be narrower. docs/guide/predict.md reports the coverage measured.

    Attributes:
        material_id: k ids, sorted; a material has no average if one of its sites has no prediction.
        n_sites: (k,) inequivalent sites.
        n_atoms: (k,) atoms of the cell that the sites stand for.
        spectra: (k, 141).
        band_68: (2, k, 141) lower and upper ends; None without error bars.
        band_95: the same for 95 %.
    """

    material_id: list[str]
    n_sites: NDArray[np.int64]
    n_atoms: NDArray[np.int64]
    spectra: Floats
    band_68: Floats | None
    band_95: Floats | None


def average(
    material_id: Sequence[str],
    multiplicity: NDArray[np.int64],
    spectra: Floats,
    bands: tuple[Floats, Floats] | None,
    wanted: Mapping[str, int],
) -> Averages:
    """Average the sites of each material.

    Args:
        material_id: material of each of the n sites.
        multiplicity: (n,) of the sites.
        spectra: (n, m).
        bands: 68 % and 95 % bands, (2, n, m) each; None without error bars.
        wanted: number of inequivalent sites of each material; a material with fewer sites here is left out.
    """
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(material_id):
        rows_of.setdefault(name, []).append(row)
    sites = dict(wanted)
    for name, of_cell in list(rows_of.items()):
        if (parent := parent_of(name)) != name:
            rows_of.setdefault(parent, []).extend(of_cell)
    for name, number in wanted.items():
        if (parent := parent_of(name)) != name:
            sites[parent] = sites.get(parent, 0) + number
    whole = [name for name in sorted(rows_of) if len(rows_of[name]) == sites[name]]
    rows = [np.array(rows_of[name]) for name in whole]
    weights = [multiplicity[each] / multiplicity[each].sum() for each in rows]

    def mean(values: Floats) -> Floats:
        """(k, m) of (n, m)."""
        averaged = [weight @ values[each] for weight, each in zip(weights, rows, strict=True)]
        return np.array(averaged).reshape(len(rows), values.shape[1])

    both = None if bands is None else tuple(np.stack([mean(ends[0]), mean(ends[1])]) for ends in bands)
    return Averages(
        material_id=whole,
        n_sites=np.array([len(each) for each in rows], dtype=np.int64),
        n_atoms=np.array([multiplicity[each].sum() for each in rows], dtype=np.int64),
        spectra=mean(spectra),
        band_68=both[0] if both else None,
        band_95=both[1] if both else None,
    )
