"""Write a match as one HTML page that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xanesflow import __version__
from xanesflow.core.figures import COLOURS
from xanesflow.core.files import write_text
from xanesflow.core.templates import environment
from xanesflow.core.text import printable
from xanesflow.matching.draw_match import BEST, label_of
from xanesflow.matching.rank_candidates import Match
from xanesflow.matching.surroundings import Surroundings
from xanesflow.matching.write_match import row_values
from xanesflow.measured.describe_spectrum import describe_noise

_TEXT, _GRID = "#888888", "rgba(128,128,128,0.25)"


def write_page(path: Path, match: Match) -> None:
    """Write the page: the answer, warnings, the spectra, and the ranking."""
    rows = [
        {
            **row_values(row, match.spectrum.element),
            "name": printable(row.reference.short_name, 60),
            "full_name": printable(row.reference.name, 200),
            **_around(row.reference.surroundings),
        }
        for row in match.rows
    ]
    page = (
        environment("xanesflow.matching")
        .get_template("match.html")
        .render(
            source=printable(match.spectrum.source, 120),
            element=match.spectrum.element,
            theory=match.theory,
            model=match.model,
            conclusion=match.conclusion,
            warnings=match.warnings,
            remarks=match.spectrum.remarks,
            left_out=match.left_out,
            rows=rows,
            known=match.known,
            reading=_reading(match),
            plot=_plot(match),
            version=__version__,
        )
    )
    write_text(path, page)


def _around(known: Surroundings | None) -> dict[str, str]:
    """Oxidation state and coordination for the table."""
    values = {name: getattr(known, name, None) for name in ("oxidation_state", "coordination")}
    return {name: "–" if value is None else f"{value:.3g}" for name, value in values.items()}


def _reading(match: Match) -> dict[str, str]:
    """How the spectrum was read, for the page's last table."""
    known, spectrum = match.spectrum.parameters, match.spectrum
    pre, post = known["pre_edge_range_ev"], known["post_edge_range_ev"]
    return {
        "edge": f"{spectrum.element} {spectrum.edge}",
        "signal": str(known["mode"]),
        "half the step": f"{match.target.half_step_ev:.2f} eV",
        "line before the edge": f"{pre[0]:.0f} to {pre[1]:.0f} eV about E0",
        "curve after the edge": f"{post[0]:.0f} to {post[1]:.0f} eV about E0, degree {known['post_edge_order']}",
        "noise": describe_noise(known["noise"]),
        "compared": f"{match.target.energy_ev[0]:.1f} to {match.target.energy_ev[-1]:.1f} eV",
    }


def _plot(match: Match) -> str:
    """The measured spectrum, the best three and their differences, as a part of the page."""
    from plotly.graph_objects import Scatter  # slow to import
    from plotly.subplots import make_subplots

    energy = np.round(match.target.energy_ev, 2)
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.05)
    measured = np.round(match.target.values, 4)
    drawn.add_trace(Scatter(x=energy, y=measured, name="measured", line={"color": _TEXT, "width": 3}), row=1, col=1)
    for row, colour in zip(match.rows[:BEST], COLOURS, strict=False):
        line: dict[str, Any] = {"color": colour, "width": 2}
        fitted, name = np.round(row.likeness.fitted, 4), f"{row.rank} {label_of(row)}"
        drawn.add_trace(Scatter(x=energy, y=fitted, name=name, line=line, legendgroup=name), row=1, col=1)
        rest = Scatter(x=energy, y=measured - fitted, name=name, line=line, legendgroup=name, showlegend=False)
        drawn.add_trace(rest, row=2, col=1)
    drawn.update_layout(
        height=560,
        margin={"l": 60, "r": 10, "t": 20, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _TEXT, "size": 13},
        legend={"x": 0.99, "y": 0.32, "xanchor": "right", "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        hovermode="x unified",
        hoverlabel={"font": {"color": "#222222"}},
    )
    drawn.update_xaxes(gridcolor=_GRID, zeroline=False, tickformat=".0f")
    drawn.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID)
    drawn.update_xaxes(title_text="photon energy (eV)", row=2, col=1)
    drawn.update_yaxes(title_text="normalised absorption", row=1, col=1)
    drawn.update_yaxes(title_text="difference", row=2, col=1)
    made: str = drawn.to_html(include_plotlyjs=True, full_html=False, div_id="spectra", config={"displaylogo": False})
    return made
