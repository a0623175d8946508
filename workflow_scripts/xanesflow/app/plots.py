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


def spectra(traces: Sequence[Mapping[str, Any]], y_title: str, *, empty: str) -> dict[str, Any]:
    """A figure of spectra.

    Args:
        traces: as `trace` makes them.
        y_title: of the axis.
        empty: what to say in place of no traces.
    """
    axis = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False, "exponentformat": "none", "visible": bool(traces)}
    said = {"text": empty, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    legend = {"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "bgcolor": "rgba(0,0,0,0)"}
    layout = {
        **_layout(y_title), "legend": legend, "margin": {"l": 62, "r": 12, "t": 12, "b": 48},
        "xaxis": {**axis, "title": {"text": "Photon energy (eV)"}}, "yaxis": {**axis, "title": {"text": y_title}},
        "showlegend": bool(traces), "hovermode": "closest", "annotations": [] if traces else [said],
    }  # fmt: skip
    return {"data": list(traces), "layout": layout}


def panels(
    above: Sequence[Any],
    below: Sequence[Any],
    titles: tuple[str, str],
    *,
    share: float,
    near: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """A figure of two panels over one another.

    Args:
        above: traces of the upper panel.
        below: traces of the lower panel.
        titles: of their axes.
        share: of the height that the lower panel has.
        near: first and last energy of the lower panel; None: those of the upper one.
    """
    axes = {"yaxis": "y2"} if near is None else {"xaxis": "x2", "yaxis": "y2"}
    figure = spectra([*above, *({**each, **axes} for each in below)], titles[0], empty="")
    drawn = figure["layout"]
    gap = 0.08 if near is None else 0.13
    drawn["yaxis2"] = {**drawn["yaxis"], "title": {"text": titles[1]}, "domain": [0, share]}
    drawn["yaxis"] = {**drawn["yaxis"], "domain": [share + gap, 1]}
    if near is None:
        drawn["xaxis"] |= {"anchor": "y2"}
    else:
        drawn["xaxis2"] = {**drawn["xaxis"], "anchor": "y2", "range": list(near)}
        drawn["yaxis2"] |= {"anchor": "x2"}
        drawn["xaxis"] = {**drawn["xaxis"], "title": {"text": ""}}
    return figure


def _layout(what: str) -> dict[str, Any]:
    """What all figures have; how the reader turned or cut one out stays as long as it shows the same."""
    clear = "rgba(0,0,0,0)"
    return {"font": {"color": INK, "size": 13}, "paper_bgcolor": clear, "plot_bgcolor": clear, "uirevision": what}


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
        marker = {"size": size if hit else 0.7 * size, "color": ATOMS.get(symbol, "#9a9a9a"), "opacity": 1}
        data.append(
            {
                "type": "scatter3d", "mode": "markers", "name": symbol, "x": x, "y": y, "z": z,
                "customdata": [f"0-{indices[k]}" if hit else "" for k in own],
                "text": [f"{symbol} {indices[k]}" for k in own], "hovertemplate": "%{text}<extra></extra>",
                "marker": {**marker, "line": {"width": 2 if hit else 0, "color": "#888"}},
            }
        )  # fmt: skip
    camera = {"projection": {"type": "orthographic"}, "eye": {"x": 1.3, "y": 0.9, "z": 0.6}}
    axes = {f"{axis}axis": {"visible": False} for axis in "xyz"}
    scene = {**axes, "aspectmode": "data", "camera": camera}
    margin = dict.fromkeys("lrtb", 0)
    return {"data": data, "layout": {**_layout("cell"), "margin": margin, "scene": scene, "legend": {"x": 0, "y": 1}}}


def _lines(pairs: Sequence[Any], colour: str, width: float) -> dict[str, Any]:
    x, y, z = ([value for a, b in pairs for value in (a[k], b[k], None)] for k in range(3))
    return {
        "type": "scatter3d", "mode": "lines", "x": x, "y": y, "z": z, "line": {"color": colour, "width": width},
        "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
