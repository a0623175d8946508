"""Spectra and descriptors of the sites that an interpreter learns from, split by material."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import PARTS, parent_of, site_id
from xanesflow.core.text import listing, plural
from xanesflow.dataset.read_dataset import load
from xanesflow.interpretation.describe_sites import read_descriptions
from xanesflow.interpretation.site_descriptors import DESCRIPTORS

log = logging.getLogger(__name__)

CAMPAIGN = "campaign"
"""The split of the dataset itself; the others are numbers, the seeds of random splits."""

ALL = "all"
"""Instead of a subset: all subsets together."""

FRACTIONS = (0.7, 0.15, 0.15)
"""Training, validation and test part of the numbered splits."""

FEWEST_TRAINING, FEWEST_VALIDATION = 30, 8


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Sites of one subset or of several."""

    name: str  # the subset, or `all`
    starts_ev: dict[str, float]  # first energy of the grid of each absorber, ascending by symbol
    ids: list[str]  # n names of sites, such as `mp-390_000`
    formulas: list[str]  # n reduced formulas
    subsets: npt.NDArray[np.str_]  # (n,) the subset of each
    spectra: Floats  # (n, 141) on the grid of the subset
    values: Floats  # (n, 9) descriptors in the order of `DESCRIPTORS`; NaN where one is not known
    part: npt.NDArray[np.str_]  # (n,) train, val or test

    def rows(self, part: str) -> npt.NDArray[np.intp]:
        """The rows of a part, ascending."""
        return np.flatnonzero(self.part == part)


def read_training_data(dataset: Path, sites: Path, name: str, split: str) -> TrainingData:
    """Read the sites of a subset, or of all, and count in the log what is not known of them.

    Args:
        dataset: the campaign's dataset.
        sites: table of `describe_sites`.
        name: a subset, or `all`.
        split: `campaign` for the split of the dataset; a number for a random split by material with that seed.

    Raises:
        XanesflowError: a site is missing from the table, or there are too few sites to learn from.
    """
    table = read_descriptions(sites).set_index(["subset", "material_id", "site_index"])
    columns: dict[str, list[np.ndarray]] = {key: [] for key in ("spectra", "part", "subsets")}
    keys: list[tuple[str, str, int]] = []
    starts_ev: dict[str, float] = {}
    with load(dataset) as data:
        for subset in data.subsets if name == ALL else (name,):
            view = data[subset]
            starts_ev[view.element] = float(view.energy[0])
            of_subset = list(zip(view.material_id.tolist(), view.site_index.tolist(), strict=True))
            keys += [(subset, *site) for site in of_subset]
            columns["spectra"].append(view.spectra[:])
            columns["subsets"].append(np.full(len(view), subset))
            columns["part"].append(view.split)
    if split != CAMPAIGN:  # of all subsets together, as a material may be in several of them
        columns["part"] = [random_split([material for _, material, _ in keys], seed=int(split))]
    lacking = [key for key in keys if key not in table.index]
    if lacking:
        raise XanesflowError(
            f"{sites} lacks {plural(len(lacking), 'site')} of {dataset.name}, such as {site_id(*lacking[0][1:])}; "
            "delete it and run snakemake."
        )
    chosen = table.loc[keys] if keys else table.iloc[:0]
    values = chosen[list(DESCRIPTORS)].astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
    found = TrainingData(
        name,
        dict(sorted(starts_ev.items())),
        [site_id(material, index) for _, material, index in keys],
        chosen["formula"].tolist(),
        np.concatenate(columns["subsets"]),
        np.concatenate(columns["spectra"]),
        values,
        np.concatenate(columns["part"]),
    )
    _report(found)
    return found


def random_split(materials: Sequence[str], *, seed: int) -> npt.NDArray[np.str_]:
    """(n,) the part of each site: its material is drawn into one of three parts of 70, 15 and 15 % of the materials."""
    parents = [parent_of(material) for material in materials]  # cells of one disordered crystal stay together
    names = np.array(sorted(set(parents)), dtype=np.str_)
    order = np.random.default_rng(seed).permutation(len(names))
    ends = [round(sum(FRACTIONS[: k + 1]) * len(names)) for k in range(len(PARTS))]
    part_of = {names[row]: PARTS[int(np.searchsorted(ends, place, side="right"))] for place, row in enumerate(order)}
    return np.array([part_of[parent] for parent in parents], dtype=np.str_)


def _report(data: TrainingData) -> None:
    """Refuse too few sites, and say how many sites each descriptor lacks."""
    n_train, n_val = len(data.rows("train")), len(data.rows("val"))
    if n_train < FEWEST_TRAINING or n_val < FEWEST_VALIDATION:
        raise XanesflowError(
            f"{data.name} has {plural(n_train, 'training site')} and {plural(n_val, 'validation site')}, and an "
            f"interpreter needs {FEWEST_TRAINING} and {FEWEST_VALIDATION}: add simulations, or take its models out of "
            "interpretation.models."
        )
    missing = unknown(data.values)
    if missing:
        log.info("%s: not known, and left out of the fit: %s", data.name, listing(missing))


def unknown(values: Floats) -> list[str]:
    """Say of how many of n sites each descriptor is not known: `charge_transfer of 12 sites`."""
    numbers = np.isnan(values).sum(axis=0)
    return [
        f"{name} of {n} of {plural(len(values), 'site')}" for name, n in zip(DESCRIPTORS, numbers, strict=True) if n
    ]
