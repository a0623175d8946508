"""Compare two subsets site by site: which sites both have, and how far apart their spectra and features are.

A subset comes from a dataset, or from a file with published arrays (`feature_files`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xanesflow.core.errors import XanesflowError
from xanesflow.core.npz import open_npz
from xanesflow.dataset.feature_files import read_feature_file
from xanesflow.dataset.read_dataset import SubsetView, load

BOTH, ONLY_OLD, ONLY_NEW = "both", "only old", "only new"
SPECTRUM = "spectrum"


@dataclass(frozen=True, eq=False)
class Sites:
    """A subset as arrays."""

    ids: Sequence[str]  # n site ids, such as `mp-390_000`
    energy_ev: NDArray[np.float64] | None  # (m,) absolute energies; None: not known
    spectra: NDArray[np.float64]  # (n, m) in bohr²
    features: Mapping[str, NDArray[np.float32]]  # (n, d) by featurizer


def sites_of_dataset(subset: SubsetView) -> Sites:
    """Read a subset of a dataset."""
    features = {name: subset.features(name)[:] for name in subset.feature_names}
    return Sites(subset.ids, subset.energy, subset.spectra[:], features)


def compare_sites(old: Sites, new: Sites) -> pd.DataFrame:
    """Compare all sites of two subsets.

    Returns:
        One row for each site, those of the old subset first, with the columns `site`, `where` (`both`, `only old`,
        `only new`), `spectrum` (largest deviation over the maximum of the old spectrum), and one for each featurizer of
        both (largest deviation over the largest absolute value of all old features). Values that cannot be compared,
        as another grid or width, are NaN.
    """
    row_of = {site: row for row, site in enumerate(new.ids)}
    rows = np.array([row for row, site in enumerate(old.ids) if site in row_of], dtype=np.intp)
    others = np.array([row_of[old.ids[row]] for row in rows], dtype=np.intp)
    known = set(old.ids)
    added = [site for site in new.ids if site not in known]
    table = pd.DataFrame({"site": [*old.ids, *added]})
    table["where"] = [BOTH if site in row_of else ONLY_OLD for site in old.ids] + [ONLY_NEW] * len(added)
    columns: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {SPECTRUM: (old.spectra, new.spectra)}
    columns |= {name: (values, new.features[name]) for name, values in old.features.items() if name in new.features}
    for name, (was, now) in columns.items():
        apart = np.full(len(table), np.nan)
        if was.shape[1:] == now.shape[1:] and len(rows):
            apart[rows] = _apart(was[rows], now[others], per_row=name == SPECTRUM)
        table[name] = apart
    return table


def _apart(was: NDArray[Any], now: NDArray[Any], *, per_row: bool) -> NDArray[np.float64]:
    """(n,) largest difference in each row, relative to the largest absolute value of that row, or of all rows."""
    size = np.abs(was).max(axis=1) if per_row else np.full(len(was), np.abs(was).max())
    return np.asarray(np.abs(now.astype(np.float64) - was).max(axis=1) / np.where(size > 0, size, 1.0))


def compare_with_published(dataset: Path, published: Path, subset: str | None = None) -> tuple[str, pd.DataFrame]:
    """Compare a dataset with a published file of ids, features and spectra, such as `Cu_FEFF_val.npz`.

    Args:
        dataset: HDF5 of the dataset.
        published: npz; see `feature_files.read_feature_file`.
        subset: of the dataset; None: the one that the file's name begins with, or the dataset's only one.

    Returns:
        The subset, and the table of `compare_sites` with the published file as the old subset.

    Raises:
        XanesflowError: a file cannot be read, or the subset is not known.
    """
    if not published.exists():
        raise XanesflowError(f"{published} does not exist (looked from {Path.cwd()}); correct the path.")
    with load(dataset) as data:
        named = [each for each in data if f"{published.stem}_".startswith(f"{each}_")]
        name = subset or next(iter(named if named or len(data) != 1 else data), None)
        if name is None:
            raise XanesflowError(
                f"The name of {published} begins with no subset of {dataset} ({', '.join(data)}); say with --subset "
                "which one it is of."
            )
        new = sites_of_dataset(data[name])
    given = read_feature_file(published, name, [])
    features = read_feature_file(published, name, names).features if (names := _featurizers(published, new)) else {}
    energies = [each.energy_ev for each in (given, new) if each.energy_ev is not None]
    if len(energies) == 2 and not np.array_equal(energies[0], energies[1]):
        raise XanesflowError(f"{published} has other energies than {name} of {dataset}; put both on the same grid.")
    if given.spectra.shape[1] != new.spectra.shape[1]:
        raise XanesflowError(
            f"{published} has spectra of {given.spectra.shape[1]} points, and {name} of {dataset} has "
            f"{new.spectra.shape[1]}; put both on the same grid."
        )
    return name, compare_sites(Sites(given.ids, given.energy_ev, given.spectra, features), new)


def _featurizers(published: Path, new: Sites) -> list[str]:
    """Featurizers of a dataset that an npz file has too; its unnamed `features` are the only ones of their width."""
    with open_npz(published) as arrays:  # read before, and so known to be whole
        own = [name for name in new.features if f"features_{name}" in arrays]
        if own or "features" not in arrays:
            return own
        width = arrays["features"].shape[-1]
    fitting = [name for name, values in new.features.items() if values.shape[1] == width]
    return fitting if len(fitting) == 1 else [name for name in fitting if name == "m3gnet"]
