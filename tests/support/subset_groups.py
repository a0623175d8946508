"""Subsets written straight into a dataset file, where a test needs no more of it than its arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from xanesflow.dataset.file import SCHEMA, SCHEMA_VERSION


def write_subset(
    path: Path, subset: str, spectra: np.ndarray, ids: Sequence[str], split: Sequence[str], *, start_ev: float,
    site_index: Sequence[int] | None = None, features: Mapping[str, tuple[np.ndarray, str]] | None = None,
    counts: Mapping[str, int] | None = None, **attributes: str,
) -> Path:  # fmt: skip
    """Add a subset of (n, m) spectra in bohr², 0.25 eV apart, to a dataset file, which is made if it is missing.

    `features` are (n, d) numbers and the hash of the weights (none if it is empty) by the featurizer's name, `counts`
    sites by reason, `attributes` those of the file beside its schema. Without `site_index` all sites are number 0.
    """
    n, m = spectra.shape
    with h5py.File(path, "a") as file:
        file.attrs.update(schema=SCHEMA, schema_version=SCHEMA_VERSION, **attributes)
        group = file.create_group(subset)
        group["energy"], group["spectra"] = start_ev + 0.25 * np.arange(m), spectra
        for name, texts in {"material_id": ids, "split": split}.items():
            group.create_dataset(name, data=list(texts), dtype=h5py.string_dtype())
        group["site_index"] = np.zeros(n, int) if site_index is None else site_index
        group["multiplicity"] = np.ones(n, int)
        for name, (values, weights_hash) in (features or {}).items():
            group[f"features/{name}"] = values
            if weights_hash:
                group[f"features/{name}"].attrs["weights_hash"] = weights_hash
        if counts:
            group.attrs["counts"] = json.dumps(counts)
        file.require_group("structures")
    return path
