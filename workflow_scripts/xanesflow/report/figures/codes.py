"""Draws all levels of theory of some sites together, and summarises how well each pair agrees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xanesflow.core.figures import COLOURS, TRUTH, figure, panels, write_note
from xanesflow.core.sites import parse_site_id, rows_of_sites
from xanesflow.core.tables import read_csv
from xanesflow.dataset.compare_codes import compare_codes
from xanesflow.spectra.store import read_spectra

SHOWN = 6
"""Number of sites that are drawn: those with the most levels of theory, the best pair of each element first."""

_COLOURS = (TRUTH, *COLOURS)
_UP = 1.2


def draw_codes(spectra: Mapping[str, Path], structures: Mapping[str, Path], *, table: Path, output: Path) -> None:
    """Compare all subsets of an element, write the table, and draw the spectra of some sites above each other.

    Args:
        spectra: file of curated spectra by subset, two or more of one element.
        structures: Parquet of each subset's structures; empty: sites are paired by name alone.
        table: CSV to write, see `xanesflow.dataset.compare_codes`.
        output: SVG to write.
    """
    subsets = {name: read_spectra(path) for name, path in spectra.items()}
    found = compare_codes(subsets, structures, table)
    if found.empty:
        write_note(output, f"{', '.join(subsets)} share no site.")
        return
    # The sites that most theories have; each theory is shifted to the first one that the site has.
    most = found.groupby("site").size().sort_values(ascending=False, kind="stable")
    sites = list(most.index[:SHOWN])
    row_of = {name: rows_of_sites(curated.material_id, curated.site_index) for name, curated in subsets.items()}
    with figure(output, 9.5, 3.4 * -(-len(sites) // 3)) as drawn:
        for axes, site in zip(panels(drawn, len(sites), 3), sites, strict=True):
            here = found[found["site"] == site]
            names = [name for name in subsets if name in {*here["one"], *here["other"]}]
            shift = {row.other: row.shift_ev for row in here.itertuples() if row.one == names[0]}
            for level, name in enumerate(names):
                spectrum = subsets[name].spectra[row_of[name][parse_site_id(site)]]
                energy = subsets[name].energy_ev + shift.get(name, 0.0)
                colour = _COLOURS[list(subsets).index(name) % len(_COLOURS)]
                axes.plot(energy, spectrum / spectrum.mean() + _UP * level, color=colour, lw=1)
                axes.annotate(name, (energy[0], _UP * level + 0.3), color=colour, fontsize=6)
            axes.set_title(site, fontsize=7, parse_math=False)
            axes.set_yticks([])
            axes.tick_params(labelsize=6)
        drawn.supxlabel("Photon energy (eV), each shifted to the lowest curve; scaled to a mean of 1", fontsize=8)


def codes_part(tables: dict[str, tuple[Path, str]]) -> list[dict[str, Any]]:
    """Collect what the template `codes.html` shows.

    Args:
        tables: by element, the CSV of `draw_codes` and its figure as a data URI.
    """
    parts = []
    for element, (path, address) in tables.items():
        table = read_csv(path)
        names = list(dict.fromkeys([*table["one"], *table["other"]]))
        medians = table.groupby(["one", "other"])[["spearman", "rms"]].median()
        cells: dict[tuple[str, str], str] = {}
        for one, other in medians.index:
            median = medians.loc[(one, other)]
            cells[one, other] = cells[other, one] = f"{median['spearman']:.3f} / {median['rms']:.3f}"
        rows = [(name, [cells.get((name, each), "–") for each in names]) for name in names]
        sites = int(np.unique(table["site"]).size)
        parts.append({"element": element, "names": names, "rows": rows, "figure": address, "sites": sites})
    return parts
