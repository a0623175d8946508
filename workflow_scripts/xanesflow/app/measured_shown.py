"""What the view Measured → answer shows: scans with their normalisation, and answers laid over them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from dash import html, no_update

from xanesflow.app import pieces, plots

HANDLES = {
    "e0": "E0",
    "pre_0": "Before the edge, from",
    "pre_1": "to",
    "post_0": "After the edge, from",
    "post_1": "to",
}
"""What can be moved in the figure, or written as a number."""

_MOST_SHOWN = 20


def numbers(measured: dict[str, Any]) -> dict[str, Any]:
    """What the fields show: the reader's numbers, else those that were found."""
    how, shown = measured.get("how", {}), measured.get("found", {}).get("shown")
    if not shown:
        return dict.fromkeys(HANDLES)
    values = {name: how.get(name) or [round(each, 1) for each in shown[name]] for name in ("pre", "post")}
    ranges = {f"{name}_{end}": value for name, pair in values.items() for end, value in enumerate(pair)}
    return {"e0": how.get("e0") or round(shown["e0"], 2), **ranges}


def seen(measured: dict[str, Any], *, form: bool = False) -> dict[str, Any]:
    """All that shows the scans."""
    found = measured.get("found", {})
    shown, failed = found.get("shown"), list(found.get("failed", {}).values())
    scans = {"-".join(map(str, each["at"])): f"{each['source']}, {each['edge']}" for each in found.get("scans", ())}
    error = [*failed[:5], *[f"… and {len(failed) - 5} more files cannot be used."] * (len(failed) > 5)]
    groups, elements = found.get("groups", []), found.get("elements", [])
    about: list[Any] = []
    if shown:
        about = [html.H3(shown["source"])] + [html.P(f"{each}.", className="remark") for each in shown["remarks"]]
        if len(elements) > 1:
            said = f"The scans are of {' and '.join(elements)}; use those of one element at a time."
            about.insert(0, html.P(said, className="error"))
        if found["unread"]:
            about.append(html.P(found["unread"], className="remark"))
        facts = [part for name, said in shown["facts"] for part in (html.Dt(name), html.Dd(said))]
        about.append(html.Dl(facts))
    return {
        "error": "\n".join(filter(None, [*error, found.get("error")])),
        "numbers": numbers(measured),
        "off": dict.fromkeys(HANDLES, bool(shown and shown["fixed"])),
        "figure": _figure(shown),
        "about": about,
        "scans": scans,
        "shown": "-".join(map(str, shown["at"])) if shown else None,
        "one": len(scans) < 2,
        "groups": groups,
        "chosen": measured.get("how", {}).get("groups", []),
        "grouped": not groups,
        "form": True if form or (found.get("error") and not shown) else no_update,
        "hidden": not shown,
    }


def _panels(
    above: list[Any], below: list[Any], titles: tuple[str, str], *, empty: str, share: float = 0.44
) -> dict[str, Any]:
    """A figure of two panels over one another with one energy axis."""
    figure = plots.spectra([*above, *({**each, "yaxis": "y2"} for each in below)], titles[0], empty=empty)
    drawn = figure["layout"]
    drawn["yaxis2"] = {**drawn["yaxis"], "title": {"text": titles[1]}, "domain": [0, share - 0.05]}
    drawn["yaxis"] = {**drawn["yaxis"], "domain": [share + 0.03, 1]}
    drawn["xaxis"] |= {"anchor": "y2"}
    return figure


def _figure(shown: Any) -> dict[str, Any]:
    """The scan as measured with its lines, and normalised; E0 and the ranges are shapes that can be moved."""
    titles, empty = ("as measured", "normalised"), "Scans that you give are drawn here."
    if not shown:
        return _panels([], [], titles, empty=empty)
    energy, e0, (blue, orange) = shown["energy"], shown["e0"], plots.COLOURS[:2]
    behind = next((k for k, each in enumerate(energy) if each >= e0), 0)
    dash = {"line": {"dash": "dash"}}
    above = [
        plots.trace(energy, shown["mu"], "as measured", plots.INK, 1.8),
        plots.trace(energy, shown["pre_edge"], "before the edge", blue, 1.4, **dash),
        plots.trace(energy[behind:], shown["post_edge"][behind:], "after the edge", orange, 1.4, **dash),
    ]
    below = [
        plots.trace(energy, shown["normalised"], "normalised", plots.COLOURS[5], 1.2),
        plots.trace(energy, shown["flattened"], "flattened", plots.INK, 1.8),
    ]
    figure = _panels(above[: 1 if shown["fixed"] else 3], below, titles, empty=empty)
    shapes = [
        {
            "type": "rect", "x0": e0 + shown[name][0], "x1": e0 + shown[name][1], "y0": 0, "y1": 1, "yref": "paper",
            "fillcolor": colour, "opacity": 0.16, "line": {"width": 1, "color": colour}, "layer": "below",
        }
        for name, colour in (("pre", blue), ("post", orange))
    ]  # fmt: skip
    line = {"color": plots.COLOURS[2], "width": 2.5}
    shapes.append({"type": "line", "x0": e0, "x1": e0, "y0": 0, "y1": 1, "yref": "paper", "line": line})
    figure["layout"] |= {
        "shapes": [] if shown["fixed"] else shapes, "uirevision": shown["source"], "editrevision": time.time(),
    }  # fmt: skip
    return figure


def overlay(result: dict[str, Any], number: int) -> dict[str, Any]:
    """The measured spectrum, what is laid over it, and what is left."""
    row = result["rows"][min(number, len(result["rows"]) - 1)]
    curve = result["curves"][row["scan"]]
    energy, values, fitted = curve["energy"], curve["values"], row["fitted"]
    rest: list[Any] = [None if fit is None else value - fit for value, fit in zip(values, fitted, strict=True)]
    above = [
        plots.trace(energy, values, curve["source"], plots.INK, 2.4),
        plots.trace(energy, fitted, row["name"], plots.COLOURS[1], 1.8),
    ]
    below = [plots.trace(energy, rest, "difference", plots.COLOURS[0], 1.4, showlegend=False)]
    figure = _panels(above, below, ("normalised", "difference"), empty="", share=0.3)
    figure["layout"]["legend"] |= {"y": 0.34}
    figure["layout"]["uirevision"] = curve["source"]
    return figure


def answer(job: str, result: dict[str, Any], laid: int) -> Iterable[Any]:
    """The sentence, the table whose rows are laid over the scan, or what was read of a site."""
    if said := result.get("said"):
        yield html.P(said, className="answer")
    if rows := result.get("rows"):
        cells = [
            [
                html.Button(
                    row["cells"][0] or str(n + 1), id={"lay": job, "row": n}, type="button", className="quiet",
                    **pieces.told(aria_label=f"Lay {row['name']} over the scan", aria_pressed=str(n == laid).lower()),
                ),
                *row["cells"][1:],
            ]
            for n, row in enumerate(rows)
        ]  # fmt: skip
        told = [{"className": "laid" if n == laid else ""} for n in range(len(rows))]
        yield pieces.table("What is laid over the scan", ["lay over", *result["names"][1:]], cells, told)
    readings = result.get("readings", ())
    for reading in readings[:_MOST_SHOWN]:
        yield html.H4(reading["source"])
        yield pieces.table(
            f"What the site of {reading['source']} is like",
            ["", "value", "90 % bar", "without the spectrum", "", "bar in prior"],
            [
                [each[0], *(cell.replace(" ", "\u00a0") for cell in each[1:4]), each[4], _bar(*numbers)]
                for each, numbers in zip(reading["cells"], reading["numbers"], strict=True)
            ],
        )
        yield html.P(reading["warning"], className="error")
        yield html.P(reading["nearest"], className="soft")
        yield from (html.P(f"{each}.", className="remark") for each in reading["remarks"])
    if len(readings) > _MOST_SHOWN:
        yield html.P(f"… and {len(readings) - _MOST_SHOWN} more scans, which the file has.", className="soft")
    if known := result.get("known"):
        yield html.P(known, className="soft")


def _bar(value: float, low: float, high: float, prior_low: float, prior_high: float) -> html.Div:
    """Value and bar in front of what is known without the spectrum."""
    first, last = min(low, prior_low, value), max(high, prior_high, value)
    scale = 100 / ((last - first) or 1.0)

    def part(name: str, a: float, b: float) -> html.Span:
        style = {"left": f"{scale * (a - first):.1f}%", "width": f"{scale * (b - a):.1f}%"}
        return html.Span(className=name, style=style)

    parts = [part("prior", prior_low, prior_high), part("bar", low, high), part("value", value, value)]
    return html.Div(parts, className="bars", **pieces.told(aria_hidden="true"))
