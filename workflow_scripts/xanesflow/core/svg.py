"""Shorten Matplotlib's SVG, because the report holds hundreds of figures and must open quickly."""

from __future__ import annotations

import re

_PLACES = re.compile(r' d="([^"]*)"|<(?:use|text) [^>]*>')
_DECIMALS = re.compile(r"-?\d+\.\d+")
_BREAKS = re.compile(r"\s*\n?([MLCQZz]) ?(?=[-.\d\n])")
_BETWEEN = re.compile(r">\s+<")
_POLYLINE = re.compile(r"(?:[ML] ?-?[\d.]+ -?[\d.]+\s*|z\s*)+")
_STEP = re.compile(r"([MLz])(?: ?(-?[\d.]+) (-?[\d.]+))?")
_LONG = 400  # characters of a path


def shorten_svg(text: str) -> str:
    """Remove indentation, round positions to hundredths of a point, and write long lines as steps in tenths.

    A tenth of a point is invisible in a line of hundreds of points. The errors do not add up, because each step starts
    at the rounded end of the last one.
    """
    return _BETWEEN.sub("><", _PLACES.sub(_shorten, text))


def _shorten(place: re.Match[str]) -> str:
    path = place[1]
    if path is not None and len(path) > _LONG and _POLYLINE.fullmatch(path):
        return f' d="{_in_steps(path)}"'
    return _BREAKS.sub(r"\1", _DECIMALS.sub(lambda number: _plain(round(100 * float(number[0])), 100), place[0]))


def _in_steps(path: str) -> str:
    """Write a path of straight lines as steps, each relative to the point before; only the first is absolute."""
    steps, last, start = [], (0, 0), (0, 0)
    for command, x, y in _STEP.findall(path):
        if command == "z":
            steps.append("z")
            last = start
            continue
        here = (round(10 * float(x)), round(10 * float(y)))
        if command == "M":
            steps.append(f"M{_plain(here[0], 10)} {_plain(here[1], 10)}")
            start = here
        else:
            across, down = (_plain(now - before, 10) for now, before in zip(here, last, strict=True))
            steps.append(f"l{across}{'' if down.startswith('-') else ' '}{down}")
        last = here
    return "".join(steps)


def _plain(number: int, parts: int) -> str:
    """Write `number` / `parts` without needless zeros: .5, -12.3, 0."""
    digits = len(str(parts)) - 1
    text = f"{abs(number) / parts:.{digits}f}".rstrip("0").rstrip(".")
    text = text.removeprefix("0") if text.startswith("0.") else text
    return f"-{text}" if number < 0 else text
