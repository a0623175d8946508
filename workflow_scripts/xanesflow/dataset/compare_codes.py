"""Compare all levels of theory of an element with each other, site by site."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pandas as pd
from pymatgen.core import Structure

from xanesflow.core.sites import rows_of_sites, site_id
from xanesflow.core.tables import read_structures, write_csv
from xanesflow.core.text import plural
from xanesflow.dataset.compare_theories import agree
from xanesflow.spectra.similarity import compare_spectra
from xanesflow.spectra.store import CuratedSpectra

log = logging.getLogger(__name__)

CODE_COLUMNS = ("site", "one", "other", "shift_ev", "cosine", "spearman", "rms")


def compare_codes(subsets: Mapping[str, CuratedSpectra], structures: Mapping[str, Path], output: Path) -> pd.DataFrame:
    """Compare the spectra of each pair of subsets at the sites that they share, at the shift of the largest cosine.

    Sites are the same as for `compare_theories`; without structures they are paired by name alone.

    Args:
        subsets: curated spectra by subset, all of one element.
        structures: Parquet of a subset's structures, by subset; empty: not known.
        output: CSV to write.

    Returns:
        A table with `CODE_COLUMNS`, a row for each site and pair. `shift_ev` is to be added to the energies of `other`,
        and `rms` is that of the difference of spectra that are scaled to a mean of 1.
    """
    row_of = {name: rows_of_sites(curated.material_id, curated.site_index) for name, curated in subsets.items()}
    rows = []
    for one, other in combinations(subsets, 2):
        shared = sorted(row_of[one].keys() & row_of[other].keys())
        same = _same_structures(structures, one, other, {material for material, _ in shared})
        for site in (each for each in shared if same[each[0]]):
            curves = [(subsets[name].energy_ev, subsets[name].spectra[row_of[name][site]]) for name in (one, other)]
            try:
                found = compare_spectra(curves[0], curves[1])
            except ValueError:  # one of them has no shape to compare
                continue
            rows.append((site_id(*site), one, other, found.shift_ev, found.cosine, found.spearman, found.rms))
    table = pd.DataFrame(rows, columns=list(CODE_COLUMNS))
    for (first, second), pair in table.groupby(["one", "other"], sort=False):
        sites, median = plural(len(pair), "shared site"), pair[["spearman", "rms"]].median()
        log.info("%s, %s: Spearman %.3f, RMS %.3f (%s)", first, second, median["spearman"], median["rms"], sites)
    write_csv(output, table)
    return table


def _same_structures(structures: Mapping[str, Path], one: str, other: str, materials: set[str]) -> dict[str, bool]:
    """Whether the site indices of two subsets refer to the same structure, by material."""
    if not structures:
        return dict.fromkeys(materials, True)
    texts = [read_structures(structures[name], materials) for name in (one, other)]
    same = {}
    for material in materials:
        first, second = (text.get(material) for text in texts)
        if first is None or second is None:
            same[material] = False
        else:
            same[material] = first == second or agree(*(Structure.from_dict(json.loads(t)) for t in (first, second)))
    return same
