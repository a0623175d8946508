"""Compute the features of a subset's sites and write them to one HDF5 file; called by the rule `compute_features`."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.core.arrays import read_array, write_array
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.files import atomic_path
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.hdf5 import read_hdf5
from xanesflow.core.provenance import provenance
from xanesflow.core.reasons import Rejected
from xanesflow.core.tables import read_parquet, read_rejected_group, write_rejected_group
from xanesflow.core.text import plural
from xanesflow.features.featurize_structures import FeatureFailure, Features, Progress
from xanesflow.features.featurizers import get_featurizer

REASON = "no_features"
"""Why a site is rejected here; one of `reasons.REASONS`."""

_SHOWN = 5
"""How many rejected sites the log names."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SiteFeatures:
    """What a features file holds.

    Attributes:
        material_id, site_index: (sites,) the sites, in the order of the site table.
        features: (sites, dimension) float32.
        featurizer, meaning, weights_hash: see `featurize_structures.Featurizer`.
        versions: package → version.
        rejected: the sites without features, and why.
        attributes: all root attributes, as stored.
    """

    material_id: NDArray[np.str_]
    site_index: NDArray[np.int64]
    features: Features
    featurizer: str
    meaning: str
    weights_hash: str
    versions: dict[str, str]
    rejected: list[Rejected]
    attributes: dict[str, Any]


def compute_features(
    structures_path: str | Path,
    sites_path: str | Path,
    output: str | Path,
    *,
    featurizer: str,
    weights: str | Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    config_json: str | None = None,
) -> None:
    """Compute the features of every site of a subset and write them to an HDF5 file.

    Args:
        structures_path: Parquet with material_id and structure (pymatgen JSON); may hold further materials.
        sites_path: Parquet with material_id and site_index (0-based), one row per site.
        output: HDF5 file to write, whole or not at all: datasets material_id, site_index, features; group rejected
            (material_id, site_index, reason, detail); root attributes featurizer, dimension, meaning, weights_hash,
            versions (JSON), created (ISO 8601), inputs_sha256 (JSON, file name → hash), config (JSON, if given).
        featurizer: one name of `feature_names.KNOWN`.
        weights: folder of M3GNet's weights; None: matgl's cache, then a download.
        device: "cpu" or "cuda".
        workers: processes.
        config_json: the configuration, to be stored in the file.

    Raises:
        XanesflowError: a table lacks columns; or see `featurizers.get_featurizer`.
    """
    # Only the materials that have sites, and of each only the absorbers.
    sites = read_parquet(sites_path, ["material_id", "site_index"])
    table = read_parquet(structures_path, ["material_id", "structure"])
    wanted: dict[str, list[int]] = {}
    for material, site in zip(sites["material_id"], sites["site_index"], strict=True):
        wanted.setdefault(material, []).append(int(site))
    texts = dict(zip(table["material_id"], table["structure"], strict=True))
    found = {material: texts[material] for material in wanted if material in texts}
    worker = get_featurizer(featurizer, weights=weights, device=device, workers=workers)
    started = time.monotonic()
    answers = _compute_texts(worker, found, wanted)

    # Sort the sites, in the order of the table, into those with features and those without.
    rows: list[NDArray[np.float32]] = []
    good: list[int] = []
    rejected: list[Rejected] = []
    absent = FeatureFailure("The table of structures has no such material.")
    for row, (material, site) in enumerate(zip(sites["material_id"], sites["site_index"], strict=True)):
        answer = answers.get((material, int(site)), absent)
        if isinstance(answer, FeatureFailure):
            rejected.append(Rejected(material, int(site), REASON, answer.reason))
        elif np.isnan(answer).any():
            detail = f"Atom {site} has no neighbour within the reach of {worker.name}."
            rejected.append(Rejected(material, int(site), REASON, detail))
        else:
            good.append(row)
            rows.append(answer)
    features = np.array(rows, dtype=np.float32).reshape(len(rows), worker.dimension)
    attributes: dict[str, Any] = {
        "featurizer": worker.name,
        "dimension": worker.dimension,
        "meaning": worker.meaning,
        "weights_hash": worker.weights_hash,
        **provenance([structures_path, sites_path], worker.packages, config_json),
    }
    write_features(Path(output), sites.iloc[good], features, rejected, attributes)
    log.info(
        "%s: features of %s in %s, %s without, in %.1f s",
        *(worker.name, plural(len(good), "site"), plural(len(found), "structure"), plural(len(rejected), "site")),
        time.monotonic() - started,
    )
    for site in rejected[:_SHOWN]:
        log.info("  %s, site %d: %s", site.material_id, site.site_index, site.detail)
    if len(rejected) > _SHOWN:
        log.info("  … and %d more, all in the file's group `rejected`", len(rejected) - _SHOWN)


def read_features(path: str | Path) -> SiteFeatures:
    """Read a file that `compute_features` wrote.

    Raises:
        XanesflowError: it does not exist, or is not such a file.
    """
    path = Path(path)
    sentence = f"{path} is not a readable file of features ({{why}}): compute it again with the target `features`."
    with read_hdf5(path, sentence) as file:
        attributes = dict(file.attrs)
        return SiteFeatures(
            material_id=read_array(file, "material_id"),
            site_index=read_array(file, "site_index"),
            features=read_array(file, "features"),
            featurizer=attributes["featurizer"],
            meaning=attributes["meaning"],
            weights_hash=attributes["weights_hash"],
            versions=parse_object(attributes["versions"]),
            rejected=read_rejected_group(file),
            attributes=attributes,
        )


def _compute_texts(
    worker: Any, texts: Mapping[str, str], wanted: Mapping[str, Sequence[int]]
) -> dict[tuple[str, int], NDArray[np.float32] | FeatureFailure]:
    """Features by material and site, for the wanted sites of structures in pymatgen's JSON."""
    answers: dict[tuple[str, int], NDArray[np.float32] | FeatureFailure] = {}
    structures, atoms = {}, {}
    for material, text in texts.items():
        try:
            structure = Structure.from_dict(json.loads(text))
        except Exception as error:  # one bad structure must not stop the others
            failed = FeatureFailure(f"Its structure cannot be read ({what_is_wrong(error)}).")
            answers.update(dict.fromkeys(((material, site) for site in wanted[material]), failed))
            continue
        structures[material] = structure
        atoms[material] = [site for site in wanted[material] if 0 <= site < len(structure)]
        for site in set(wanted[material]) - set(atoms[material]):
            detail = f"The structure has no atom {site}; it has {len(structure)}, counted from 0."
            answers[material, site] = FeatureFailure(detail)
    computed = worker.compute(list(structures.values()), _log_tenths(worker.name), list(atoms.values()))
    for material, answer in zip(structures, computed, strict=True):
        for row, site in enumerate(atoms[material]):
            answers[material, site] = answer if isinstance(answer, FeatureFailure) else answer[row]
    return answers


def write_features(
    output: Path,
    sites: pd.DataFrame,
    features: Features,
    rejected: list[Rejected],
    attributes: dict[str, Any],
) -> None:
    """Write a file of features, whole or not at all; `compute_features` describes its layout."""
    with atomic_path(output) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(attributes)
        for name in ("material_id", "site_index"):
            write_array(file, name, sites[name])
        write_array(file, "features", features)
        write_rejected_group(file, rejected)


def _log_tenths(name: str) -> Progress:
    """A progress report that logs a line for each tenth of the structures."""
    shown = 0

    def report(done: int, of: int) -> None:
        nonlocal shown
        if of and 10 * done // of > shown:
            shown = 10 * done // of
            log.info("%s: %d of %d structures", name, done, of)

    return report
