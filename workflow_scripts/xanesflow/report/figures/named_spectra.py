"""Draws few spectra above each other, each with its compound and site."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib import colormaps
from matplotlib.layout_engine import ConstrainedLayoutEngine
from pymatgen.core import Composition

from xanesflow.core.figures import CROSS_SECTION, ENERGY, figure, in_thousandths, write_note
from xanesflow.core.sites import Subset, site_id
from xanesflow.core.tables import read_parquet
from xanesflow.core.text import one_line, subscripts
from xanesflow.report.figures.curation import FEW
from xanesflow.spectra.store import read_spectra

APART = 0.8
"""Distance of two neighbouring spectra, in units of their mean at high energies."""


def draw_named_spectra(spectra: Path, structures: Path | None, output: Path) -> None:
    """Draw the spectra of a subset above each other: from the bottom the pure element, then compounds of two, three ...

    Among compounds of as many elements, those with a larger share of the absorber come first.

    Args:
        spectra: a subset's curated spectra.
        structures: its table of structures, for formulas and names of compounds; None: there is none.
        output: SVG to write; with no spectra, or so many that they would hide each other, it says so.
    """
    curated = read_spectra(spectra)
    n = len(curated.spectra)
    if not 0 < n < FEW:
        write_note(output, f"{curated.subset} has {n} spectra; up to {FEW - 1} are drawn by name.")
        return
    known = {} if structures is None else _compounds(structures)
    element = Subset.parse(curated.subset).element
    order = sorted(range(n), key=lambda row: _place(known.get(curated.material_id[row]), element))
    level = float(curated.spectra[:, -1].mean())
    colours = colormaps["viridis"](np.linspace(0.0, 0.72, n))
    with figure(output, 5.6, 1.5 + 0.36 * n) as drawn:
        left_of_names = (0.0, 0.0, 0.66, 1.0)
        cast(ConstrainedLayoutEngine, drawn.get_layout_engine()).set(rect=left_of_names)
        axes = drawn.subplots()
        lowest = 0.0
        for place, row in enumerate(order):
            raised = curated.spectra[row] + place * APART * level
            axes.plot(curated.energy_ev, raised, color=colours[place], lw=1.3)
            site = site_id(curated.material_id[row], int(curated.site_index[row]))
            height = max(float(raised[-1]), lowest)
            lowest = height + 0.65 * APART * level  # names keep apart even where spectra end close together
            said = axes.annotate(
                f"{_named(known.get(curated.material_id[row]))}\n{site}".strip(),
                (curated.energy_ev[-1], height),
                (6, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                color=colours[place],
                parse_math=False,
            )
            said.set_in_layout(False)
        axes.set(xlabel=ENERGY, ylabel=f"{CROSS_SECTION}, offset", xlim=(curated.energy_ev[0], curated.energy_ev[-1]))
        axes.set_title(curated.subset)
        axes.margins(y=0.02)
        axes.set_ylim(bottom=0.0)
        in_thousandths(axes.yaxis)
        axes.locator_params(axis="x", nbins=6)


def _compounds(structures: Path) -> Mapping[str, tuple[str, str]]:
    """Formula and name, which may be empty, of each material."""
    table = read_parquet(structures, ["material_id", "formula", "name"]).fillna("")
    return {str(material): (str(formula), str(name)) for material, formula, name in table.itertuples(index=False)}


def _named(compound: tuple[str, str] | None) -> str:
    return "" if compound is None else ", ".join(filter(None, (subscripts(compound[0]), _short(compound[1]))))


def _short(name: str) -> str:
    """A compound's name without what is added after a comma, as the conditions at which it exists."""
    return one_line(name.split(", ", maxsplit=1)[0], 30)


def _place(compound: tuple[str, str] | None, element: str) -> tuple[int, float]:
    """Number of elements, then the share of others than the absorber."""
    if compound is None:
        return 0, 0.0
    composition = Composition(compound[0])
    return len(composition), 1.0 - composition.get_atomic_fraction(element)
