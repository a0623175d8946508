"""Figures as plain dictionaries that plotly draws in the browser: this module imports neither plotly nor numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

INK = "rgb(34, 34, 34)"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B58900", "#3A9BD9")
"""Okabe and Ito's, for colour-blind readers; each stands out on white and on black."""

ATOMS = {
    "H": "#d8d8d8", "C": "#707070", "N": "#4b6fd8", "O": "#e0483e", "F": "#7fbf4f", "Na": "#a06ccf", "Mg": "#5f9e3c",
    "Al": "#b09a9a", "Si": "#c8a46b", "P": "#e88a1a", "S": "#d9bf23", "Cl": "#3fb53f", "K": "#8f4fc4", "Ca": "#58a858",
    "Ti": "#8fa3b5", "V": "#8e8ea8", "Cr": "#7f93c0", "Mn": "#9a75c2", "Fe": "#d2713a", "Co": "#d07fa0",
    "Ni": "#4fae72", "Cu": "#c2803c", "Zn": "#7b80b0",
}  # fmt: skip
"""Colours of elements, near to those that crystallographers use; others are grey."""


def trace(
    x: Sequence[float], y: Sequence[float], name: str, colour: str, width: float = 1.5, **more: Any
) -> dict[str, Any]:
    """A line; `site=...` names what lights it up."""
    meta = {"width": width, "site": more.pop("site", None)}
    return {
        "x": x, "y": y, "name": name, "mode": "lines",
        "line": {"color": colour, "width": width, **more.pop("line", {})},
        "meta": meta, "hovertemplate": "%{x:.2f} eV, %{y:.4g}", **more,
    }  # fmt: skip


def band(x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> list[dict[str, Any]]:
    """An error band: the space between two curves."""
    edge = {"x": x, "mode": "lines", "line": {"width": 0, "color": colour}, "hoverinfo": "skip", "showlegend": False}
    return [{**edge, "y": low}, {**edge, "y": high, "fill": "tonexty", "fillcolor": "rgba(0,114,178,0.22)"}]


def spectra(
    traces: Sequence[Mapping[str, Any]], y_title: str, *, empty: str, x_title: str = "Photon energy (eV)"
) -> dict[str, Any]:
    """A figure of spectra.

    Args:
        traces: as `trace` makes them.
        y_title: of the axis.
        empty: what to say in place of no traces.
        x_title: of the axis.
    """
    axis = {"showgrid": True, "gridcolor": "rgba(128,128,128,0.25)", "zeroline": False, "exponentformat": "none"}
    said = {"text": empty, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    return {
        "data": list(traces),
        "layout": {
            "margin": {"l": 62, "r": 12, "t": 12, "b": 48},
            "font": {"color": INK, "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": {**axis, "title": {"text": x_title}, "visible": bool(traces)},
            "yaxis": {**axis, "title": {"text": y_title}, "visible": bool(traces)},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
            "showlegend": bool(traces),
            "hovermode": "closest",
            "uirevision": y_title,
            "annotations": [] if traces else [said],
        },
    }


def cell(picture: Mapping[str, Any], absorber: str) -> dict[str, Any]:
    """A cell in three dimensions: atoms by element, the absorbers with a rim, bonds and edges."""
    places, indices = picture["positions"], picture["indices"]
    data = [
        _lines(picture["edges"], "rgba(128,128,128,0.9)", 2),
        _lines([[places[a], places[b]] for a, b in picture["bonds"]], "rgba(128,128,128,0.55)", 6),
    ]
    extent = max(max(axis) - min(axis) for axis in zip(*picture["edges"][0], *picture["edges"][-1], strict=True))
    size = max(4.0, min(14.0, 75 / max(extent, 1.0)))  # of a marker, in pixels, in a figure 300 pixels high
    for symbol in dict.fromkeys(picture["symbols"]):
        own = [k for k, each in enumerate(picture["symbols"]) if each == symbol]
        x, y, z = zip(*(places[k] for k in own), strict=True)
        hit = symbol == absorber
        data.append(
            {
                "type": "scatter3d", "mode": "markers", "name": symbol, "x": x, "y": y, "z": z,
                "customdata": [f"0-{indices[k]}" if hit else "" for k in own],
                "text": [f"{symbol} {indices[k]}" for k in own], "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "size": size if hit else 0.7 * size, "color": ATOMS.get(symbol, "#9a9a9a"), "opacity": 1,
                    "line": {"width": 2 if hit else 0, "color": "#888"},
                },
            }
        )  # fmt: skip
    hidden = {"visible": False}
    scene = {
        "xaxis": hidden,
        "yaxis": hidden,
        "zaxis": hidden,
        "aspectmode": "data",
        "camera": {"projection": {"type": "orthographic"}, "eye": {"x": 1.3, "y": 0.9, "z": 0.6}},
    }
    layout = {
        "margin": dict.fromkeys("lrtb", 0),
        "scene": scene,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK},
        "legend": {"x": 0, "y": 1},
        "uirevision": "cell",
    }
    return {"data": data, "layout": layout}


def _lines(pairs: Sequence[Any], colour: str, width: float) -> dict[str, Any]:
    x, y, z = ([value for a, b in pairs for value in (a[k], b[k], None)] for k in range(3))
    line = {"color": colour, "width": width}
    return {
        "type": "scatter3d",
        "mode": "lines",
        "x": x,
        "y": y,
        "z": z,
        "line": line,
        "hoverinfo": "skip",
        "showlegend": False,
    }
