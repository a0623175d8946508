"""Compare two levels of theory: which sites do two subsets share, and how similar are their spectra?"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from pymatgen.core import Structure

from xanesflow.core.sites import rows_of_sites
from xanesflow.core.tables import write_csv
from xanesflow.dataset.file import structure_json, structure_key
from xanesflow.dataset.read_dataset import DatasetFile
from xanesflow.spectra.similarity import compare_spectra

PAIRED, BY_NAME, DIFFERENT, NO_SPECTRUM = "paired", "paired by name alone", "structures differ", "no shape to compare"
"""Status of a site in the table. A site found in one subset only has the status `only in <subset>`."""

POSITION_ANGSTROM = 0.01
"""Two structures are the same if no atom and no component of a lattice vector differs by more than this."""

COLUMNS = ("material_id", "site_index", "status", "shift_ev", "cosine", "spearman")


def compare_theories(dataset: str | Path, one: str, other: str, output: str | Path | None = None) -> pd.DataFrame:
    """Compare the spectra of all sites that two subsets share.

    Two sites are the same if they have the same material id and site index, and if their structures agree in cell,
    species and order of the atoms. The structures matter because sources number sites differently. If the dataset
    holds neither structure, sites are paired by name alone, and the row says so.

    Args:
        dataset: the dataset file.
        one: a subset, such as `Ti_FEFF`.
        other: another subset of the same element.
        output: CSV to write, if any.

    Returns:
        A table with `COLUMNS` and one row for each site of either subset. `shift_ev` is the shift to add to the
        energies of `other`. Values that cannot be computed are NaN.
    """
    with DatasetFile(dataset) as file:
        table = _compare(file, one, other)
    if output is not None:
        write_csv(output, table)
    return table


def _compare(file: DatasetFile, one: str, other: str) -> pd.DataFrame:
    subsets = [file[one], file[other]]
    rows = [rows_of_sites(subset.material_id.tolist(), subset.site_index) for subset in subsets]
    spectra = [subset.spectra[:] for subset in subsets]
    same: dict[str, str] = {}
    found = []
    for site in sorted(rows[0].keys() | rows[1].keys()):
        material, index = site
        if site not in rows[0] or site not in rows[1]:
            found.append((material, index, f"only in {one if site in rows[0] else other}", *[float("nan")] * 3))
            continue
        if material not in same:
            same[material] = _same_structure(file.hdf5, material, one, other)
        status = same[material]
        shift = cosine = spearman = float("nan")
        if status != DIFFERENT:
            first, second = ((s.energy, values[at[site]]) for s, values, at in zip(subsets, spectra, rows, strict=True))
            try:
                similarity = compare_spectra(first, second)
                shift, cosine, spearman = similarity.shift_ev, similarity.cosine, similarity.spearman
            except ValueError:
                status = NO_SPECTRUM
        found.append((material, index, status, shift, cosine, spearman))
    return pd.DataFrame(found, columns=list(COLUMNS))


def _same_structure(file: h5py.File, material: str, one: str, other: str) -> str:
    """Whether the site indices of two subsets refer to the same structure of a material; the answer is a status."""
    keys = [structure_key(file, subset, material) for subset in (one, other)]
    if keys == [None, None]:
        return BY_NAME
    if None in keys:
        return DIFFERENT
    if keys[0] == keys[1]:
        return PAIRED
    structures = [Structure.from_dict(json.loads(structure_json(file, subset, material))) for subset in (one, other)]
    return PAIRED if agree(*structures) else DIFFERENT


def agree(one: Structure, other: Structure) -> bool:
    """Whether two structures are the same, atom by atom in the same order, within `POSITION_ANGSTROM`."""
    if len(one) != len(other) or one.species_and_occu != other.species_and_occu:
        return False
    cells = one.lattice.matrix, other.lattice.matrix
    if np.abs(cells[0] - cells[1]).max() > POSITION_ANGSTROM:
        return False
    apart = one.frac_coords - other.frac_coords
    return bool(np.linalg.norm((apart - apart.round()) @ cells[0], axis=1).max() <= POSITION_ANGSTROM)
