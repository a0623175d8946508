"""Draws predicted spectra: SVG, PNG, PDF, or an HTML page that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.sites import parent_of
from xanesflow.core.text import subscripts
from xanesflow.prediction.data import Predicted, SubsetPrediction

FIGURES, PAGES = (".svg", ".png", ".pdf"), (".html",)

PANELS = 12
"""Most materials that a figure shows; if there are more, it says how many."""

PAGE_PANELS = 60
"""Most materials on a page, where you can scroll."""


@dataclass(frozen=True, eq=False)
class _Panel:
    """One material (with the cells that represent it) at one level of theory: sites and average, in 10⁻³ bohr²."""

    title: str
    energy_ev: NDArray[np.float64]
    names: list[str]
    sites: NDArray[np.float64]
    average: NDArray[np.float64] | None
    band: NDArray[np.float64] | None
    moved: bool


def check_plot(path: str | Path) -> None:
    """Raise XanesflowError unless a figure can be written to a file of this name."""
    if Path(path).suffix.lower() not in FIGURES + PAGES:
        raise XanesflowError(f"{path} cannot be drawn: a plot is a .svg, .png, .pdf or .html file.")


def draw_prediction(path: str | Path, prediction: Predicted) -> None:
    """Draw each material's average with its 95 % band, and its sites as thin lines.

    Raises:
        XanesflowError: the file's ending is not one of a figure or page.
    """
    check_plot(path)
    page = Path(path).suffix.lower() in PAGES
    panels, total = _panels(prediction, PAGE_PANELS if page else PANELS)
    if page:
        _write_page(path, panels, total)
    else:
        _draw(path, panels, total)


def _panels(prediction: Predicted, most: int) -> tuple[list[_Panel], int]:
    """The first materials, and how many there are."""
    total = sum(len(set(map(parent_of, each.material_id))) for each in prediction.subsets.values())
    panels: list[_Panel] = []
    for each in prediction.subsets.values():
        for material in dict.fromkeys(map(parent_of, each.material_id)):
            if len(panels) == most:
                return panels, total
            panels.append(_panel(each, material))
    return panels, total


def _panel(each: SubsetPrediction, material: str) -> _Panel:
    rows = [row for row, name in enumerate(each.material_id) if parent_of(name) == material]
    means = each.averages
    k = means.material_id.index(material) if material in means.material_id else None
    warned = "  (unlike the training data)" if each.unlike is not None and each.unlike[rows].any() else ""
    element, theory = each.subset.split("_")
    return _Panel(
        f"{subscripts(each.formula[rows[0]])} · {material} · {element} K, {theory}{warned}",
        each.energies_of(material),
        [site_name(each, row) for row in rows],
        1e3 * each.spectra[rows],
        None if k is None else 1e3 * means.spectra[k],
        None if k is None or means.band_95 is None else 1e3 * means.band_95[:, k],
        bool(each.shift_ev),
    )


def site_name(each: SubsetPrediction, row: int) -> str:
    """`Fe 3 (×4)`, or `cell2 Fe 3 (×1)` for a cell that represents a disordered crystal."""
    material, element = each.material_id[row], each.subset.split("_")[0]
    cell = material.removeprefix(parent_of(material)).lstrip(".")
    return f"{cell} {element} {each.site_index[row]} (×{each.multiplicity[row]})".lstrip()


def _count_shown(panels: list[_Panel], total: int) -> str:
    return f"The first {len(panels)} of {total}" if total > len(panels) else ""


def _draw(path: str | Path, panels: list[_Panel], total: int) -> None:
    from xanesflow.core.figures import BAND, ENERGY, MODEL, MOVED_ENERGY, TRUTH, figure  # matplotlib is slow to import
    from xanesflow.core.figures import panels as divide

    columns = 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3
    rows = -(-len(panels) // columns)
    with figure(path, 5.5 if columns == 1 else 4.2 * columns, 3.7 if columns == 1 else 2.9 * rows) as drawn:
        every = divide(drawn, len(panels), columns)
        for axes, panel in zip(every, panels, strict=True):
            if panel.band is not None:
                axes.fill_between(panel.energy_ev, *panel.band, color=BAND, alpha=0.6, lw=0, label="95 % band")
            if len(panel.sites) > 1 or panel.average is None:
                for number, spectrum in enumerate(panel.sites):
                    label = "sites" if number == 0 else "_"
                    axes.plot(panel.energy_ev, spectrum, color=TRUTH, lw=0.6, alpha=0.5, label=label)
            if panel.average is not None:
                axes.plot(panel.energy_ev, panel.average, color=MODEL, lw=1.8, label="predicted")
            axes.set_title(panel.title, fontsize=8)
            axes.set_xlim(panel.energy_ev[0], panel.energy_ev[-1])
            axes.set_ylim(bottom=0.0)
            axes.ticklabel_format(useOffset=False)
        every[0].legend(loc="lower right")
        drawn.supxlabel(MOVED_ENERGY if panels and panels[0].moved else ENERGY)
        drawn.supylabel("Cross section (10⁻³ bohr²)")
        if note := _count_shown(panels, total):
            drawn.suptitle(note)


def _write_page(path: str | Path, panels: list[_Panel], total: int) -> None:
    from plotly.graph_objects import Figure, Scatter  # slow to import

    from xanesflow.core.figures import BAND, ENERGY, MODEL, MOVED_ENERGY, TRUTH

    drawn: Any = Figure()
    groups: list[int] = []
    for number, panel in enumerate(panels):
        shown, traces = number == 0, []
        if panel.band is not None:
            lower, upper = panel.band
            there_and_back = np.concatenate([panel.energy_ev, panel.energy_ev[::-1]])
            ends = np.concatenate([upper, lower[::-1]])
            look = {"fill": "toself", "fillcolor": BAND, "opacity": 0.6, "line": {"width": 0}, "hoverinfo": "skip"}
            traces.append(Scatter(x=there_and_back, y=ends, mode="lines", name="95 % band", **look))
        for name, spectrum in zip(panel.names, panel.sites, strict=True):
            traces.append(Scatter(x=panel.energy_ev, y=spectrum, line={"width": 1, "color": TRUTH}, name=name))
        if panel.average is not None:
            traces.append(
                Scatter(x=panel.energy_ev, y=panel.average, line={"width": 3, "color": MODEL}, name="average")
            )
        for trace in traces:
            trace.visible = shown
            drawn.add_trace(trace)
        groups += [number] * len(traces)
    buttons = [
        {
            "label": panel.title,
            "method": "update",
            "args": [{"visible": [group == number for group in groups]}, {"xaxis.autorange": True}],
        }
        for number, panel in enumerate(panels)
    ]
    drawn.update_layout(
        template="plotly_white",
        title=_count_shown(panels, total),
        xaxis_title=MOVED_ENERGY if panels and panels[0].moved else ENERGY,
        yaxis_title="Cross section (10⁻³ bohr²)",
        updatemenus=[{"buttons": buttons, "x": 0.0, "xanchor": "left", "y": 1.12, "showactive": True}],
    )
    write_text(path, drawn.to_html(include_plotlyjs=True, full_html=True, div_id="prediction"))
