"""Draws the spectra of disordered crystals: the cells that represent one, and their mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from xanesflow.core.array_types import Floats
from xanesflow.core.figures import MODEL, TRUTH, figure, panels, write_note
from xanesflow.core.sites import parent_of, rows_of_sites
from xanesflow.core.tables import read_parquet
from xanesflow.core.text import plural
from xanesflow.spectra.store import CuratedSpectra, read_spectra

PANELS, COLUMNS = 24, 4


@dataclass(frozen=True, eq=False)
class Crystal:
    """A disordered crystal: the spectra of its cells and their mean."""

    name: str  # its id
    formula: str  # reduced formula of a cell
    cells: Floats  # (k, 141) mean of each cell over its absorbers, bohr²
    mean: Floats  # (141,) of the cells, weighted with their absorbers
    of: int  # number of cells; those with a site that has no spectrum are not among the k


def disordered_crystals(curated: CuratedSpectra, sites: pd.DataFrame) -> list[Crystal]:
    """Average the spectra of each disordered crystal.

    Args:
        curated: a subset's curated spectra.
        sites: its site table.
    """
    row_of = rows_of_sites(curated.material_id, curated.site_index)
    cells = sites[[parent_of(name) != name for name in sites["material_id"]]]
    found = []
    for parent, of_crystal in cells.groupby(cells["material_id"].map(parent_of), sort=True):
        means, atoms = [], []
        for _, of_cell in of_crystal.groupby("material_id", sort=True):
            rows = [
                row_of.get((m, int(i)), -1) for m, i in zip(of_cell["material_id"], of_cell["site_index"], strict=True)
            ]
            if -1 not in rows:
                weights = of_cell["multiplicity"].to_numpy()
                means.append(np.average(curated.spectra[rows], axis=0, weights=weights))
                atoms.append(int(weights.sum()))
        if means:
            mean = np.average(means, axis=0, weights=atoms)
            number = of_crystal["material_id"].nunique()
            found.append(Crystal(str(parent), str(of_crystal["formula"].iloc[0]), np.array(means), mean, number))
    return found


def draw_disordered(spectra: Path, site_table: Path, output: Path) -> None:
    """Draw a panel for each disordered crystal: thin lines for its cells, a thick one for their mean.

    Args:
        spectra: a subset's curated spectra.
        site_table: its site table.
        output: SVG to write; if there is no such crystal, it says so.
    """
    curated = read_spectra(spectra)
    crystals = disordered_crystals(curated, read_parquet(site_table))
    if not crystals:
        write_note(output, f"{curated.subset}: no disordered crystal has a whole cell with spectra.")
        return
    shown = crystals[:PANELS]
    columns = min(COLUMNS, len(shown))
    with figure(output, 0.8 + 2.3 * max(columns, 2), 0.9 + 1.9 * -(-len(shown) // columns)) as drawn:
        every = panels(drawn, len(shown), columns, sharex=True)
        for axes, each in zip(every, shown, strict=True):
            for number, spectrum in enumerate(each.cells):
                label = "cells" if number == 0 else "_"
                axes.plot(curated.energy_ev, 1e3 * spectrum, color=TRUTH, lw=0.6, alpha=0.6, label=label)
            axes.plot(curated.energy_ev, 1e3 * each.mean, color=MODEL, lw=1.8, label="their mean")
            of = ("" if len(each.cells) == each.of else f"{len(each.cells)} of ") + plural(each.of, "cell")
            axes.set_title(f"{each.formula}, {of}\n{each.name}", fontsize=7, parse_math=False)
            axes.set_ylim(bottom=0.0)
            axes.tick_params(labelsize=6)
            axes.ticklabel_format(useOffset=False)
        every[0].legend(loc="lower right", fontsize=6)
        drawn.supxlabel("Photon energy (eV)", fontsize=8)
        drawn.supylabel("Cross section (10⁻³ bohr²)", fontsize=8)
        if len(crystals) > len(shown):
            drawn.suptitle(f"The first {len(shown)} of {len(crystals)}", fontsize=8)
