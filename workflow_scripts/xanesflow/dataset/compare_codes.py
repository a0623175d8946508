"""Compare all levels of theory of an element with each other, site by site."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from xanesflow.core.sites import site_id
from xanesflow.core.tables import write_csv
from xanesflow.dataset.compare_theories import BY_NAME, PAIRED, compare_theories
from xanesflow.dataset.read_dataset import DatasetFile
from xanesflow.spectra.similarity import compare_spectra

CODE_COLUMNS = ("site", "one", "other", "shift_ev", "cosine", "spearman", "rms")


def compare_codes(dataset: Path, subsets: Sequence[str], output: Path) -> pd.DataFrame:
    """Compare the spectra of each pair of subsets at the sites that they share, at the shift of the largest cosine.

    Args:
        dataset: the dataset file.
        subsets: of one element.
        output: CSV to write.

    Returns:
        A table with `CODE_COLUMNS`, a row for each site and pair. `shift_ev` is to be added to the energies of `other`,
        and `rms` is that of the difference of spectra that are scaled to a mean of 1.
    """
    rows = []
    for one, other in combinations(subsets, 2):
        pairs = compare_theories(dataset, one, other)
        shared = pairs[pairs["status"].isin((PAIRED, BY_NAME)) & pairs["spearman"].notna()]
        with DatasetFile(dataset) as file:
            for material, index in shared[["material_id", "site_index"]].itertuples(index=False):
                site = site_id(material, int(index))
                curves = [(file[name].energy, file[name][site].spectrum) for name in (one, other)]
                found = compare_spectra(curves[0], curves[1])
                rows.append((site, one, other, found.shift_ev, found.cosine, found.spearman, found.rms))
    table = pd.DataFrame(rows, columns=list(CODE_COLUMNS))
    write_csv(output, table)
    return table
