"""Import a subset from a file of features and spectra, instead of computing both from structures."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.core.damage import explain_damage
from xanesflow.core.energy_grid import N_POINTS, STEP_EV, energy_grid
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import DIMENSIONS
from xanesflow.core.files import sha256_file
from xanesflow.core.provenance import provenance
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import WHOLE_MATERIAL, Site, parse_site_id
from xanesflow.core.tables import count_reasons, describe_counts, write_rejected
from xanesflow.core.text import plural, printable
from xanesflow.dataset.feature_files import GivenData, read_feature_file
from xanesflow.features.compute_features import REASON as NO_FEATURES
from xanesflow.features.compute_features import write_features
from xanesflow.spectra.store import CuratedSpectra, write_spectra
from xanesflow.structures.site_table import ABOUT_COLUMNS, STRUCTURE_COLUMNS, write_structure_rows

log = logging.getLogger(__name__)

GRID_TOLERANCE_EV = 1e-3
TOO_LARGE_BOHR2 = 0.1
"""Spectra with a mean maximum above this get a warning: K edges of the 3d metals are of the order of 1e-3 bohr²."""


def import_features(
    source: Path,
    *,
    subset: str,
    energy_start_ev: float,
    spectra: Path,
    rejected_csv: Path,
    structures: Path,
    features: Mapping[str, Path],
    config: str | None = None,
) -> None:
    """Write the files from which the dataset is built, all from one file (see `feature_files.read_feature_file`).

    Spectra are taken unchanged: they were curated where they were computed, so no envelope is applied. A row is left
    out if its id is malformed or repeated, or if its spectrum holds NaN or infinite values, only zeros, or negative
    values. The sites that the makers of a dataset left out stay listed with their reasons.

    Args:
        source: the file of features and spectra.
        subset: such as `Cu_FEFF`.
        energy_start_ev: first energy of the grid, for a file without energies.
        spectra: HDF5 to write, in the format of `spectra.curate.curate_spectra`.
        rejected_csv: CSV to write: the rejected sites, for people to read.
        structures: Parquet to write; it has no rows if the file has no structures.
        features: HDF5 to write for each featurizer, in the format of `features.compute_features`.
        config: the configuration as JSON; it is recorded.

    Raises:
        XanesflowError: the file cannot be read or lacks an array, its arrays do not fit each other or the grid, or no
            row can be used.
    """
    # Read the file, and check its features and energies as a whole.
    given = read_feature_file(source, subset, list(features))
    for name, values in given.features.items():
        if (wanted := DIMENSIONS.get(name)) and values.shape[1] != wanted:
            raise XanesflowError(
                f"{source} has features of {values.shape[1]} numbers for {subset}, but {name} has {wanted}; give them "
                "another name in features.models (any name of small letters, digits and _ will do)."
            )
    energy_ev = _energies(source, given, energy_start_ev)

    # Choose the rows that can be used, sorted by site.
    rows, left_out = _good_rows(given)
    if not rows:
        shown = "; ".join(f"{r.material_id}: {r.detail}" for r in left_out[:3])
        raise XanesflowError(f"{source}: {describe_counts(0, left_out)}. For example {shown}.")
    left_out += given.rejected
    sites = sorted(rows)
    taken = [rows[site] for site in sites]
    if (largest := float(given.spectra[taken].max(axis=1).mean())) > TOO_LARGE_BOHR2:
        log.warning(
            "%s: the maxima of the spectra are %.3g on average, but cross sections in bohr² are of the order of 1e-3; "
            "are they multiplied by a factor, or in another unit?",
            *(source.name, largest),
        )

    # Describe the spectra: what the file says of them wins over these defaults.
    described = {
        "energy_reference": "absolute photon energy, as given by the file of features"
        if given.energy_ev is not None
        else "absolute photon energy: the grid of curation.energy_start, as the file of features has no energies",
        "broadening": "not given by the file of features",
        "multiplicity": "" if given.multiplicity is not None else "not known; 1 for each site",
        **given.described,
        "origin": f"taken from {source.name} (SHA-256 {sha256_file(source)})",
    }
    counted = given.multiplicity[taken] if given.multiplicity is not None else np.ones(len(taken), dtype=np.int64)
    curated = CuratedSpectra(
        subset=subset,
        energy_ev=energy_ev,
        spectra=given.spectra[taken],
        material_id=[material for material, _ in sites],
        site_index=np.array([index for _, index in sites], dtype=np.int64),
        multiplicity=counted,
        rejected=sorted(left_out),
        corrections=[given.corrections[row] for row in taken] if given.corrections else (),
        settings=[given.settings[row] for row in taken] if given.settings else (),
        described=described,
    )

    # Write everything that the stages before the dataset would have written.
    record = provenance([source], config=config)
    for name, path in features.items():
        _write_features(path, name, given, {site: rows[site] for site in sites}, record)
    rows_of_structures = _structure_rows(source, given, {material for material, _ in sites})
    write_structure_rows(structures, rows_of_structures, [*STRUCTURE_COLUMNS, *ABOUT_COLUMNS])
    write_rejected(rejected_csv, left_out)
    write_spectra(spectra, curated, {**record, "counts": json.dumps({"kept": len(sites), **count_reasons(left_out)})})
    log.info("%s, from %s: %s", subset, source.name, describe_counts(len(sites), left_out))


def _energies(source: Path, given: GivenData, energy_start_ev: float) -> NDArray[np.float64]:
    """The spectra's energies: the file's own, or the grid of the configuration."""
    points = given.spectra.shape[1]
    if points != N_POINTS:
        raise XanesflowError(
            f"The spectra of {source} have {plural(points, 'point')}, but the dataset's grid has {N_POINTS}, every "
            f"{STEP_EV} eV; interpolate them onto it (xanesflow.core.energy_grid.onto_grid)."
        )
    if given.energy_ev is None:
        return energy_grid(energy_start_ev)
    energy = given.energy_ev
    if energy.shape != (N_POINTS,) or not (np.abs(energy - energy_grid(energy.flat[0])) <= GRID_TOLERANCE_EV).all():
        raise XanesflowError(
            f"The energies of {source} are not {N_POINTS} absolute energies in eV, every {STEP_EV} eV; interpolate its "
            "spectra onto such a grid (xanesflow.core.energy_grid.onto_grid)."
        )
    if abs(energy[0] - energy_start_ev) > GRID_TOLERANCE_EV:
        log.warning(
            "%s: its energies begin at %.3f eV, not at curation.energy_start (%.3f eV); the file's energies are used.",
            *(source.name, energy[0], energy_start_ev),
        )
    return energy


def _good_rows(given: GivenData) -> tuple[dict[Site, int], list[Rejected]]:
    """Row of each site whose spectrum can be used, and the rejected rows with their reasons."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(given.spectra).all(axis=1))
    rows: dict[Site, int] = {}
    left_out = []
    for row, name in enumerate(given.ids):
        try:
            site = parse_site_id(name)
        except XanesflowError as error:
            left_out.append(Rejected(printable(name, 80), WHOLE_MATERIAL, "bad_id", f"row {row}: {error}"))
            continue
        spectrum = given.spectra[row]
        if not finite[row]:
            left_out.append(
                Rejected(*site, "not_a_number", f"row {row}: {plural((~np.isfinite(spectrum)).sum(), 'point')}")
            )
        elif not spectrum.any():
            left_out.append(Rejected(*site, "all_zero", f"row {row}"))
        elif spectrum.min() < 0:
            left_out.append(Rejected(*site, "negative", f"row {row}: {spectrum.min():.2e} bohr²"))
        elif rows.setdefault(site, row) != row:
            same = "the same" if np.array_equal(spectrum, given.spectra[rows[site]]) else "another"
            detail = f"row {row} has the id of row {rows[site]} and {same} spectrum"
            left_out.append(Rejected(*site, "duplicate", detail))
    return rows, left_out


def _write_features(path: Path, name: str, given: GivenData, rows: Mapping[Site, int], record: dict[str, str]) -> None:
    """Write one featurizer's features of the sites in `rows`; sites with NaN or infinite features are left out."""
    values = given.features[name]
    bad = {site for site, row in rows.items() if not np.isfinite(values[row]).all()}
    if bad:
        log.info("%s: %d sites have %s features with NaN or infinite values", path.stem, len(bad), name)
    good = [site for site in rows if site not in bad]
    write_features(
        path,
        pd.DataFrame(good, columns=["material_id", "site_index"]),
        values[[rows[site] for site in good]],
        [Rejected(*site, NO_FEATURES, "its features in the file hold NaN or infinite values") for site in sorted(bad)],
        {"featurizer": name, "dimension": values.shape[1], **given.featurizers[name], **record},
    )


def _structure_rows(source: Path, given: GivenData, materials: set[str]) -> list[tuple[str | int, ...]]:
    """Rows for the table of structures, with `STRUCTURE_COLUMNS` and `ABOUT_COLUMNS`."""
    rows: list[tuple[str | int, ...]] = []
    for material, text in given.structures.items():
        if material not in materials:
            continue
        sentence = f"The structure of {material} in {source} cannot be read ({{why}}); copy the file or build it again."
        with explain_damage(sentence):
            structure = Structure.from_dict(json.loads(text))
        about = (given.about[material].get(name, "") for name in ABOUT_COLUMNS)
        rows.append((material, text, structure.composition.reduced_formula, len(structure), *about))
    return rows
