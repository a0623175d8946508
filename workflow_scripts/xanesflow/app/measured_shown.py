"""What the view Measured → answer shows: scans with their normalisation, and answers laid over them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from dash import html, no_update

from xanesflow.app import pieces, plots

RANGES = {"pre": "Before the edge, eV from E0", "post": "After the edge, eV from E0"}
HANDLES = ("e0", *(f"{name}_{end}" for name in RANGES for end in (0, 1)))
"""What can be moved in the figure, or written as a number."""

_MOST_SHOWN = 20
_SEVERAL = "Each of several scans has its own E0, as found; give one alone to set its E0. The ranges are those of all."
_NEAR = (-50.0, 150.0)  # eV from E0, of the panel with the normalised scan


def numbers(measured: dict[str, Any]) -> dict[str, Any]:
    """What the fields show: the reader's numbers, else those that were found."""
    how, shown = measured.get("how", {}), measured.get("found", {}).get("shown")
    if not shown:
        return dict.fromkeys(HANDLES)
    values = {name: how.get(name) or [round(each, 1) for each in shown[name]] for name in RANGES}
    ranges = {f"{name}_{end}": value for name, pair in values.items() for end, value in enumerate(pair)}
    return {"e0": how.get("e0") or round(shown["e0"], 2), **ranges}


def still_set(before: dict[str, Any], how: dict[str, Any]) -> dict[str, Any]:
    """What was set by hand on the scan that is shown, and holds when it is read again.

    Args:
        before: the store.
        how: what the form says; E0 is not kept for other groups than those that it was set for.
    """
    if not before.get("found", {}).get("shown"):
        return {}
    was = before["how"]
    kept = (*RANGES, *["e0"] * (was.get("groups") == how.get("groups")))
    return {name: was[name] for name in kept if name in was}


def _one_alone(found: dict[str, Any]) -> bool:
    """Whether the scan that is shown is the only one; of several, each has its own E0, as found."""
    return len(found.get("scans", ())) == 1 and not found.get("unread")


def handled(asked: str, before: dict[str, Any], given: dict[str, Any], moved: Any) -> dict[str, Any]:
    """How scans are normalised after a handle was moved or a number written.

    Args:
        asked: `reset`, `spectrum` (a handle was moved), one of `HANDLES`, or anything else, which changes nothing.
        before: the store.
        given: what the fields hold.
        moved: what the figure says of the move.
    """
    how, shown = dict(before["how"]), before["found"]["shown"]
    ends = {name: list(how.get(name) or shown[name]) for name in RANGES}
    if asked == "reset":
        return {name: value for name, value in how.items() if name not in ("e0", *ends)}
    if asked == "spectrum":
        for key, value in (moved or {}).items():
            if not (match := re.fullmatch(r"shapes\[([012])\]\.x([01])", key)):
                continue
            name, side = (*RANGES, "e0")[int(match[1])], int(match[2])
            if name == "e0":
                if abs(value - shown["e0"]) > 0.005:
                    how["e0"] = round(value, 2)
            elif abs(away := value - shown["e0"] - shown[name][side]) > 0.05:
                ends[name][side] = round(ends[name][side] + away, 1)
                how[name] = sorted(ends[name])
    elif asked in HANDLES and given[asked] != numbers(before)[asked]:
        name, _, end = asked.partition("_")
        if given[asked] is None:
            how.pop(name, None)
        elif end:
            ends[name][int(end)] = given[asked]
            how[name] = ends[name]
        else:
            how[name] = given[asked]
    return how


def seen(measured: dict[str, Any], *, form: bool = False) -> dict[str, Any]:
    """All that shows the scans."""
    found = measured.get("found", {})
    shown, failed = found.get("shown"), list(found.get("failed", {}).values())
    scans = {"-".join(map(str, each["at"])): f"{each['source']}, {each['edge']}" for each in found.get("scans", ())}
    error = [*failed[:5], *[f"… and {len(failed) - 5} more files cannot be used."] * (len(failed) > 5)]
    groups, elements = found.get("groups", []), found.get("elements", [])
    about: list[Any] = []
    alone = _one_alone(found)
    if shown:
        said = f"The scans are of {' and '.join(elements)}; use those of one element at a time."
        about = [
            *pieces.remarks([said] * (len(elements) > 1), "error"),
            html.H3(shown["source"]),
            *pieces.remarks([*(f"{each}." for each in shown["remarks"]), found["unread"]]),
            *pieces.remarks([_SEVERAL] * (not alone)),
            pieces.facts(shown["facts"]),
        ]
    return {
        "error": "\n".join(filter(None, [*error, found.get("error")])),
        "numbers": numbers(measured),
        "off": {name: bool(shown and (shown["fixed"] or (name == "e0" and not alone))) for name in HANDLES},
        "figure": _figure(shown, alone=alone),
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


def _figure(shown: Any, *, alone: bool) -> dict[str, Any]:
    """The scan as measured with its lines, and normalised near its edge.

    The ranges, and E0 of a scan that is `alone`, are shapes to be moved; of several scans, E0 is a line.
    """
    if not shown:
        return plots.spectra([], "", empty="Scans that you give are drawn here.")
    energy, e0, (blue, orange) = shown["energy"], shown["e0"], plots.COLOURS[:2]
    behind = next((k for k, each in enumerate(energy) if each >= e0), 0)
    dash = {"line": {"dash": "dash"}}
    above = [
        plots.trace(energy, shown["mu"], "as measured", plots.INK, 1.8),
        plots.trace(energy, shown["pre_edge"], "before the edge", blue, 1.4, **dash),
        plots.trace(energy[behind:], shown["post_edge"][behind:], "after the edge", orange, 1.4, **dash),
    ]
    if not alone:
        above.append(plots.trace([e0, e0], [min(shown["mu"]), max(shown["mu"])], "E0", plots.COLOURS[2], 2.5))
    below = [
        plots.trace(energy, shown["normalised"], "normalised", plots.COLOURS[5], 1.2),
        plots.trace(energy, shown["flattened"], "flattened", plots.INK, 1.8),
    ]
    near = (max(e0 + _NEAR[0], energy[0]), min(e0 + _NEAR[1], energy[-1]))
    titles = ("µ as measured", "Normalised")
    figure = plots.panels(above[:1] if shown["fixed"] else above, below, titles, share=0.42, near=near)
    place = {"y0": 0, "y1": 1, "yref": "y domain"}
    shapes = [
        {
            "type": "rect", "x0": e0 + shown[name][0], "x1": e0 + shown[name][1], **place,
            "fillcolor": colour, "opacity": 0.16, "line": {"width": 1, "color": colour}, "layer": "below",
        }
        for name, colour in (("pre", blue), ("post", orange))
    ]  # fmt: skip
    if alone:
        shapes.append({"type": "line", "x0": e0, "x1": e0, **place, "line": {"color": plots.COLOURS[2], "width": 2.5}})
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
    figure = plots.panels(above, below, ("Normalised", "Difference"), share=0.25)
    figure["layout"]["uirevision"] = curve["source"]
    return figure


def answer(job: str, result: dict[str, Any], laid: int) -> Iterable[Any]:
    """The sentence, the table whose rows are laid over the scan, or what was read of a site."""
    yield from pieces.remarks([result.get("said", "")], "answer")
    if rows := result.get("rows"):
        cells = [
            [
                html.Button(
                    row["cells"][0], id={"lay": job, "row": n}, type="button", className="quiet",
                    **pieces.hyphenated(
                        aria_label=f"Lay {row['name']} over the scan", aria_pressed=str(n == laid).lower()
                    ),
                ),
                *row["cells"][1:],
            ]
            for n, row in enumerate(rows)
        ]  # fmt: skip
        row_attributes = [{"className": "laid" if n == laid else ""} for n in range(len(rows))]
        yield pieces.table("What is laid over the scan", ["lay over", *result["names"][1:]], cells, row_attributes)
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
        yield from pieces.remarks([reading["warning"]], "error")
        yield html.P(reading["nearest"], className="soft")
        yield from pieces.remarks([f"{each}." for each in reading["remarks"]])
    if len(readings) > _MOST_SHOWN:
        yield html.P(f"… and {len(readings) - _MOST_SHOWN} more scans, which the file has.", className="soft")
    yield from pieces.remarks([result.get("known", "")], "soft")


def _bar(value: float, low: float, high: float, prior_low: float, prior_high: float) -> html.Div:
    """Value and bar in front of what is known without the spectrum."""
    first, last = min(low, prior_low, value), max(high, prior_high, value)
    scale = 100 / ((last - first) or 1.0)
    parts = [
        html.Span(className=name, style={"left": f"{scale * (a - first):.1f}%", "width": f"{scale * (b - a):.1f}%"})
        for name, a, b in (("prior", prior_low, prior_high), ("bar", low, high), ("value", value, value))
    ]
    return html.Div(parts, className="bars", **pieces.hyphenated(aria_hidden="true"))
