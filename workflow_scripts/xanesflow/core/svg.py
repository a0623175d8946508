"""Matplotlib's SVG, much shorter: the report holds hundreds of figures and is to open at once."""

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
    """An SVG without indentation, with places in hundredths of a point, and long lines in steps of tenths.

    A tenth of a point cannot be seen in a line of hundreds of points; it does not add up, as each step starts from
    where the last one ended.
    """
    return _BETWEEN.sub("><", _PLACES.sub(_shorten, text))


def _shorten(place: re.Match[str]) -> str:
    path = place[1]
    if path is not None and len(path) > _LONG and _POLYLINE.fullmatch(path):
        return f' d="{_in_steps(path)}"'
    return _BREAKS.sub(r"\1", _DECIMALS.sub(lambda number: _plain(round(100 * float(number[0])), 100), place[0]))


def _in_steps(path: str) -> str:
    """A path of straight lines, each point but the first told by its distance from the last one."""
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
    """`number` / `parts` without zeros that say nothing: .5, -12.3, 0."""
    digits = len(str(parts)) - 1
    text = f"{abs(number) / parts:.{digits}f}".rstrip("0").rstrip(".")
    text = text.removeprefix("0") if text.startswith("0.") else text
    return f"-{text}" if number < 0 else text
