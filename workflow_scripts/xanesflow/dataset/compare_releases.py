"""Compare two releases of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xanesflow.core.foreign_json import parse_json
from xanesflow.core.text import plural, quoted
from xanesflow.dataset.compare_sites import BOTH, ONLY_NEW, ONLY_OLD, SPECTRUM, compare_sites, sites_of_dataset
from xanesflow.dataset.file import structure_json
from xanesflow.dataset.read_dataset import DatasetFile, SubsetView, load

TOLERANCE = 1e-6

DESCRIPTION = ("title", "creator", "licence", "citation")
"""Root attributes whose change counts as a difference. Versions, configuration and time are listed separately."""


@dataclass
class SubsetDifference:
    """What differs between two releases of a subset. Sites are given by id, in the order of the old file.

    Attributes:
        added, removed: sites found only in the new release, or only in the old one.
        spectra: common sites whose spectra differ, with the largest difference relative to the old spectrum's maximum.
        split: common sites that changed their part: the old part and the new one.
        features: number of sites whose features differ, by featurizer.
        multiplicity, corrections, settings: common sites whose value differs.
        structures: common materials whose structures differ.
        remarks: sentences about other differences, such as a new grid or an added featurizer.
        table: all sites, from `compare_sites`.
    """

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    spectra: dict[str, float] = field(default_factory=dict)
    split: dict[str, tuple[str, str]] = field(default_factory=dict)
    features: dict[str, int] = field(default_factory=dict)
    multiplicity: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    structures: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __bool__(self) -> bool:
        return any(self.as_plain().values())

    def as_plain(self) -> dict[str, Any]:
        """Everything but the table, as values that JSON can hold."""
        return {name: value for name, value in vars(self).items() if name != "table"}


@dataclass
class Difference:
    """What differs between two releases of a dataset.

    Attributes:
        added, removed: subsets found only in the new release, or only in the old one.
        subsets: common subsets, the equal ones too.
        description: old and new value of each root attribute of `DESCRIPTION` that differs.
        made: other root attributes that differ, such as versions and time; they do not make the releases differ.
    """

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    subsets: dict[str, SubsetDifference] = field(default_factory=dict)
    description: dict[str, tuple[str, str]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or any(self.subsets.values()) or self.description)

    def as_plain(self) -> dict[str, Any]:
        """The difference as plain values that JSON can hold."""
        subsets = {name: each.as_plain() for name, each in self.subsets.items() if each}
        return {**vars(self), "subsets": subsets, "equal": not self}


def compare(old: str | Path, new: str | Path, *, tolerance: float = TOLERANCE) -> Difference:
    """Compare two releases of a dataset, site by site.

    Args:
        old: file of the old release.
        new: file of the new release.
        tolerance: largest difference that still counts as equal: for a spectrum relative to the old spectrum's
            maximum, for features relative to the largest absolute value among the old features.

    Raises:
        XanesflowError: one of the files cannot be opened as a dataset, or lacks an array.
    """
    found = Difference()
    with load(old) as before, load(new) as after:
        found.added = [name for name in after if name not in before]
        found.removed = [name for name in before if name not in after]
        for name in before:
            if name in after:
                found.subsets[name] = _compare(before, after, name, tolerance)
        for key in sorted(before.attributes.keys() | after.attributes.keys()):
            values = (str(before.attributes.get(key, "")), str(after.attributes.get(key, "")))
            if values[0] != values[1]:
                if key in DESCRIPTION:
                    found.description[key] = values
                else:
                    found.made.append(key)
    return found


def _compare(before: DatasetFile, after: DatasetFile, name: str, tolerance: float) -> SubsetDifference:
    # Match the sites of the two releases: row `rows[k]` of the old one is row `others[k]` of the new one.
    old, new = before[name], after[name]
    table = compare_sites(sites_of_dataset(old), sites_of_dataset(new))
    found = SubsetDifference(table=table)
    found.added = table["site"][table["where"] == ONLY_NEW].tolist()
    found.removed = table["site"][table["where"] == ONLY_OLD].tolist()
    common = table[table["where"] == BOTH]
    row_of = {site: row for row, site in enumerate(new.ids)}
    sites, rows = common["site"].tolist(), common.index.to_numpy()
    others = np.array([row_of[site] for site in sites], dtype=np.intp)

    # Compare the common sites, array by array. What is NaN differs too.
    if not np.array_equal(old.energy, new.energy):
        found.remarks.append(f"the grid differs: {_grid(old.energy)} before, {_grid(new.energy)} now")
    if old.energy.shape == new.energy.shape:
        differs = common[~(common[SPECTRUM] <= tolerance)]
        found.spectra = dict(zip(differs["site"], differs[SPECTRUM].tolist(), strict=True))
    for values in ("multiplicity", "corrections", "settings"):
        differs = getattr(old, values)[rows] != getattr(new, values)[others]
        getattr(found, values).extend(sites[k] for k in np.flatnonzero(differs))
    parts = zip(sites, old.split[rows].tolist(), new.split[others].tolist(), strict=True)
    found.split = {site: (was, now) for site, was, now in parts if was != now}
    _compare_features(old, new, found, tolerance)

    # Compare structures as JSON values, so that spacing and the order of keys do not count.
    for material in dict.fromkeys(old.material_id[rows].tolist()):
        texts = (structure_json(before.hdf5, name, material), structure_json(after.hdf5, name, material))
        if texts[0] != texts[1] and parse_json(texts[0]) != parse_json(texts[1]):
            found.structures.append(material)
    for key, was in old.attributes.items():
        if (now := new.attributes.get(key)) != was:
            found.remarks.append(f"`{key}` of the spectra was {quoted(was)} and is now {quoted(now)}")
    return found


def _compare_features(old: SubsetView, new: SubsetView, found: SubsetDifference, tolerance: float) -> None:
    names = dict.fromkeys([*old.feature_names, *new.feature_names])
    for name in names:
        if name not in new.feature_names or name not in old.feature_names:
            found.remarks.append(f"the features {name} were {'added' if name in new.feature_names else 'removed'}")
            continue
        path = f"features/{name}"
        widths = [subset.data(path).shape[1] for subset in (old, new)]
        if widths[0] != widths[1]:
            found.remarks.append(f"the features {name} had {widths[0]} numbers for each site and now have {widths[1]}")
            continue
        hashes = [str(subset.data(path).attrs.get("weights_hash")) for subset in (old, new)]
        if hashes[0] != hashes[1]:
            found.remarks.append(f"the features {name} were computed with other weights")
        apart = found.table[name][found.table["where"] == BOTH]
        if number := int((~(apart <= tolerance)).sum()):
            found.features[name] = number


def _grid(energy: NDArray[np.float64]) -> str:
    return f"{plural(len(energy), 'point')}, {energy[0]:g} to {energy[-1]:g} eV" if len(energy) else "empty"
