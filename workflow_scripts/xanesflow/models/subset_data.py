"""Read a subset of the dataset file, for models and evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.core.sites import PARTS, parent_of, parse_site_id
from xanesflow.core.text import plural
from xanesflow.dataset.file import attributes_of, report_damage
from xanesflow.dataset.read_dataset import load


@dataclass(frozen=True, eq=False)
class SubsetData:
    """One subset with one choice of features."""

    path: Path  # the dataset file
    subset: str  # such as `Cu_FEFF`
    features_name: str  # such as `m3gnet` or `m3gnet_all+chgnet`
    energy_ev: npt.NDArray[np.float64]  # (141,) absolute energies in eV
    spectra: npt.NDArray[np.float64]  # (n, 141) in bohr²
    features: npt.NDArray[np.float32]  # (n, d) float32; the blocks of several featurizers are in the order of the name
    split: npt.NDArray[np.str_]  # (n,) `train`, `val` or `test`
    ids: list[str]  # n site ids, such as `mp-390_000`
    feature_dimensions: dict[str, int]  # numbers per site of each featurizer, in order
    # the dataset's attributes of each featurizer, including the hash of its weights
    featurizers: dict[str, dict[str, Any]]
    file_sha256: str  # hash of the dataset file
    # hash of the arrays here. Unlike the file's hash, it stays the same if the file is built again from the same
    # data, or if another subset changes. So it shows whether a model still fits its data.
    data_sha256: str

    @property
    def materials(self) -> npt.NDArray[np.str_]:
        """(n,) the material of each site; for a cell of a disordered crystal, that crystal."""
        return np.array([parent_of(parse_site_id(name)[0]) for name in self.ids])

    def rows(self, part: str) -> npt.NDArray[np.intp]:
        """Row numbers of a part of the split, ascending."""
        return np.flatnonzero(self.split == part)

    def counts(self) -> str:
        """The number of spectra in each part, for messages: `train 3340, val 416, test 0`."""
        return ", ".join(f"{part} {np.count_nonzero(self.split == part)}" for part in PARTS)


def read_subset(path: str | Path, subset: str, features: str) -> SubsetData:
    """Read a subset of a dataset file and check that models can be trained on it.

    Args:
        path: the dataset, `results/dataset/<campaign>.h5`.
        subset: such as `Cu_FEFF`.
        features: a featurizer of the file, or several joined by `+`.

    Raises:
        XanesflowError: the file is no dataset of this version, is damaged or truncated, or lacks the subset or a
            featurizer; or its arrays do not fit each other, or hold NaN or infinite values.
    """
    # Read the arrays, one block of features for each featurizer.
    path = Path(path)
    with load(path) as data, report_damage(path):
        view = data[subset]
        paths = dict(zip(features.split("+"), view.feature_paths(features), strict=True))
        energy, spectra, split, ids = view.energy, view.read("spectra"), view.split, view.ids
        blocks = {name: view.read(at) for name, at in paths.items()}
        featurizers = {name: attributes_of(view.data(at)) for name, at in paths.items()}

    # Check the arrays and join the blocks of features.
    _check(f"{subset} in {path}", energy, spectra, split=split, ids=ids, blocks=blocks)
    joined = np.concatenate(list(blocks.values()), axis=1)
    return SubsetData(
        path=path,
        subset=subset,
        features_name=features,
        energy_ev=energy,
        spectra=spectra,
        features=joined,
        split=split,
        ids=ids,
        feature_dimensions={name: block.shape[1] for name, block in blocks.items()},
        featurizers=featurizers,
        file_sha256=sha256_file(path),
        data_sha256=_digest(energy, spectra, joined, "\n".join(ids), "\n".join(split)),
    )


def without_meaning(featurizers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Attributes of featurizers that must agree for one network: all but `meaning`, a text for people."""
    return {
        name: {key: value for key, value in about.items() if key != "meaning"} for name, about in featurizers.items()
    }


def _check(
    where: str,
    energy: npt.NDArray[np.float64],
    spectra: npt.NDArray[np.float64],
    *,
    split: npt.NDArray[np.str_],
    ids: list[str],
    blocks: dict[str, npt.NDArray[np.float32]],
) -> None:
    """Raise if the spectra do not fit the grid, a number is not finite, or a part of the split is not known."""
    again = "build the dataset again (snakemake dataset)"
    if spectra.shape[1] != len(energy):
        raise XanesflowError(
            f"The spectra of {where} have shape {spectra.shape}, but its grid has "
            f"{plural(len(energy), 'energy', 'energies')}; {again}."
        )
    for name, values in blocks.items():
        if not np.isfinite(values).all():
            site = ids[int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])]
            raise XanesflowError(
                f"The {name} features of {site} of {where} hold values that are no finite numbers; "
                "compute these features again (snakemake features)."
            )
    if not (np.isfinite(spectra).all() and np.isfinite(energy).all()):
        raise XanesflowError(f"The spectra or energies of {where} hold values that are no finite numbers; {again}.")
    unknown = sorted(set(split.tolist()) - set(PARTS))
    if unknown:
        raise XanesflowError(
            f"The split of {where} names a part '{unknown[0]}', but the parts are {', '.join(PARTS)}; {again}."
        )


def _digest(*parts: npt.NDArray[Any] | str) -> str:
    """SHA-256 over arrays (with dtype and shape) and texts."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
        else:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
