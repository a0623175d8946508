"""Split a subset into training, validation and test parts so that no material is in two of them.

The cells that represent one disordered crystal count as one material.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.reasons import MAY_SUCCEED
from xanesflow.core.site_list import planned_sites
from xanesflow.core.sites import PARTS, Site, parent_of, parse_site_id, site_id
from xanesflow.core.tables import read_parquet, write_csv
from xanesflow.core.text import plural
from xanesflow.spectra.store import read_spectra

log = logging.getLogger(__name__)

FRACTIONS = (0.8, 0.1, 0.1)


def balanced_split(sites: Sequence[Site], *, seed: int, fractions: Sequence[float] = FRACTIONS) -> dict[Site, str]:
    """Split sites by material, the paper's way 80/10/10 (arXiv 2409.19552, data partitioning).

    Materials are placed one by one, in descending order of their number of sites (ties in random order). Each goes to
    the part that is farthest below its target size ⌊f n⌋ and would stay below it; if there is none, it goes to the
    training part. This reproduces the published sizes of all ten subsets, and their counts of materials by number of
    sites.

    Args:
        sites: material id and site index of each spectrum.
        seed: seed of the random order.
        fractions: f of the training, validation and test part.

    Returns:
        `train`, `val` or `test` for each site.
    """
    counts = Counter(parent_of(material_id) for material_id, _ in sites)
    materials = np.array(sorted(counts))
    np.random.default_rng(seed).shuffle(materials)
    targets = [int(fraction * len(sites)) for fraction in fractions]
    sizes = [0, 0, 0]
    part_of: dict[str, str] = {}
    for material_id in sorted(materials.tolist(), key=lambda m: -counts[m]):
        below = sorted(range(3), key=lambda k: sizes[k] - targets[k])
        part = next((k for k in below if sizes[k] + counts[material_id] < targets[k]), 0)
        sizes[part] += counts[material_id]
        part_of[material_id] = PARTS[part]
    return {site: part_of[parent_of(site[0])] for site in sites}


def read_split_files(folder: str | Path, subset: str) -> dict[Site, str]:
    """Read published files `<subset>_{train,val,test}.txt` with one `<material id>_<site>` on each line.

    Raises:
        XanesflowError: a file is missing, a line is no site, a site is listed twice, or a material is in two parts.
    """
    part_of: dict[Site, str] = {}
    part_of_material: dict[str, str] = {}
    for part in PARTS:
        path = Path(folder) / f"{subset}_{part}.txt"
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise XanesflowError(
                f"{path} cannot be read ({error.__class__.__name__}); splits.files must be a folder with "
                f"{subset}_train.txt, {subset}_val.txt and {subset}_test.txt."
            ) from None
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                site = parse_site_id(line.strip())
            except XanesflowError as error:
                raise XanesflowError(f"{path}, line {number}: {error}") from None
            if site in part_of:
                raise XanesflowError(
                    f"{path}, line {number}: {line.strip()} is listed twice (first in {part_of[site]}); remove one of "
                    "the two."
                )
            other = part_of_material.setdefault(parent_of(site[0]), part)
            if other != part:
                raise XanesflowError(
                    f"{path}, line {number}: material {parent_of(site[0])} is in {other} and in {part}; move all of "
                    "its sites to one part."
                )
            part_of[site] = part
    return part_of


def check_split(part_of: Mapping[Site, str], subset: str) -> None:
    """Check that no material is in two parts, and that there are enough spectra to train and validate a model.

    Raises:
        XanesflowError: a material is in two parts, or a part that training needs has too few spectra.
    """
    part_of_material: dict[str, str] = {}
    for (material_id, _), part in part_of.items():
        if part_of_material.setdefault(parent_of(material_id), part) != part:
            raise XanesflowError(
                f"{subset}: material {parent_of(material_id)} is in two parts of the split; move all of its sites "
                "to one part."
            )
    counts = Counter(part_of.values())
    if counts["train"] < 2 or counts["val"] < 1:
        raise XanesflowError(
            f"{subset}: {plural(len(part_of), 'spectrum', 'spectra')} of {plural(len(part_of_material), 'material')} "
            "are too few for a split: "
            f"{counts['train']} would train, {counts['val']} validate, {counts['test']} test. The balanced split needs "
            "at least 20, including a material with few sites; see the rejected table for what is missing, or name "
            "split files."
        )


def check_site_count(
    site_table: Path,
    output: Path,
    *,
    subset: str,
    only: str | Path | None,
    files: str | Path | None,
    seed: int,
    fractions: Sequence[float] = FRACTIONS,
) -> None:
    """Check that a subset has enough sites for a split, before hours are spent on simulating them.

    Args:
        site_table: Parquet of the subset's sites.
        output: JSON to write: how many sites each part would have if all simulations succeed.
        subset: such as `Cu_FEFF`.
        only: list of the sites to simulate; None: all.
        files: folder with published split files; None for the balanced split.
        seed: seed of the balanced split.
        fractions: fractions of the balanced split.

    Raises:
        XanesflowError: even if all simulations succeed, a part that training needs has too few spectra; or the list
            names a site that the subset lacks.
    """
    table = read_parquet(site_table, ["material_id", "site_index"])
    sites = [(str(m), int(i)) for m, i in table.itertuples(index=False)]
    planned = planned_sites(only, sites, subset)
    sites = [site for site in sites if site in planned]
    named = balanced_split(sites, seed=seed, fractions=fractions) if files is None else read_split_files(files, subset)
    part_of = {site: named[site] for site in sites if site in named}
    try:
        check_split(part_of, subset)
    except XanesflowError as error:
        raise XanesflowError(
            f"Even if every simulation succeeds: {error} `snakemake spectra` computes the spectra alone."
        ) from None
    counts = Counter(part_of.values())
    write_text(output, json.dumps({part: counts[part] for part in PARTS}) + "\n")


def split_sites(
    spectra: Path,
    output: Path,
    unmatched: Path,
    *,
    subset: str,
    files: str | Path | None,
    seed: int,
    fractions: Sequence[float] = FRACTIONS,
) -> None:
    """Put each curated spectrum of a subset into a part of the split.

    Args:
        spectra: HDF5 of the subset's curated spectra.
        output: CSV to write: material_id, site_index, split.
        unmatched: CSV to write: sites found only in the split files or only among the spectra, and what they lack.
        subset: such as `Cu_FEFF`.
        files: folder with published split files; None for the balanced split.
        seed: seed of the balanced split.
        fractions: fractions of the balanced split.

    Raises:
        XanesflowError: the split files are wrong, or a part that training needs has too few spectra.
    """
    curated = read_spectra(spectra)
    sites = list(zip(curated.material_id, curated.site_index.tolist(), strict=True))
    lacking: list[tuple[str, int, str]] = []
    if files is None:
        part_of = balanced_split(sites, seed=seed, fractions=fractions)
    else:
        named = read_split_files(files, subset)
        part_of = {site: named[site] for site in sites if site in named}
        lacking += [(*site, "not named by the split files") for site in sites if site not in named]
        lacking += [
            (*site, f"named for {part}, without a spectrum") for site, part in named.items() if site not in part_of
        ]
    try:
        check_split(part_of, subset)
    except XanesflowError as error:
        if any(each.reason in MAY_SUCCEED for each in curated.rejected):
            raise XanesflowError(f"{error} `xanesflow retry {subset}` computes failed sites again.") from None
        raise
    for name, rows, columns in (
        (output, [(*site, part) for site, part in part_of.items()], ["material_id", "site_index", "split"]),
        (unmatched, lacking, ["material_id", "site_index", "lacks"]),
    ):
        write_csv(name, pd.DataFrame(sorted(rows), columns=columns))
    counts = Counter(part_of.values())
    log.info("%s: %s", subset, ", ".join(f"{counts[part]} {part}" for part in PARTS))
    for what, number in Counter(what for _, _, what in lacking).items():
        examples = ", ".join(site_id(m, i) for m, i, w in sorted(lacking) if w == what) if number <= 20 else ""
        some = plural(number, "site")
        log.warning("%s: %s %s%s", subset, some, what, f": {examples}" if examples else f" (see {unmatched})")
