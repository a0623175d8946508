"""How figures look: colours that colour-blind readers can distinguish, one style of axes, the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape, unescape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xanesflow.core.files import atomic_path, write_text
from xanesflow.core.text import printable

TRUTH, MODEL, BASELINE, BAND = "#222222", "#0072B2", "#D55E00", "#9ecae1"

COLOURS = (MODEL, BASELINE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, which colour-blind readers can distinguish."""

ENERGY, CROSS_SECTION = "Photon energy (eV)", "Cross section (10⁻³ bohr²)"
MOVED_ENERGY = "Photon energy, moved to experiment (eV)"

_NOTE = '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="24" font-family="sans-serif"><text y="16">'

_PLACES = re.compile(r' d="[^"]*"|<(?:use|text) [^>]*>')
_NUMBER = re.compile(r"-?(?<!\d)\d+\.\d+")
_LONG = 400  # characters of a path

_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "xanesflow",  # element ids are random otherwise
    "svg.fonttype": "none",  # text stays text: smaller, and it can be searched
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib would write a longer list into every text element
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


@contextmanager
def figure(path: str | Path, width: float, height: float) -> Iterator[Figure]:
    """Make a figure of `width` × `height` inches, and save it to `path` (SVG, PNG or PDF) unless the block fails.

    It does not use pyplot, so your own choice of a backend stays when you import the library.
    """
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn
        with atomic_path(path) as temporary:
            svg = temporary.suffix == ".svg"
            drawn.savefig(temporary, dpi=150, metadata=_NO_METADATA if svg else None)
            if svg:
                temporary.write_text(shorten_svg(temporary.read_text(encoding="utf-8")), encoding="utf-8")


def panels(drawn: Any, number: int, columns: int, **options: Any) -> list[Axes]:
    """Divide a figure into `number` panels in rows of up to `columns`; places that are left over stay empty.

    Args:
        drawn: figure or part of one.
        number: at least 1.
        columns: most in a row.
        options: of `Figure.subplots`.
    """
    columns = min(columns, number)
    every = drawn.subplots(-(-number // columns), columns, squeeze=False, **options).ravel()
    for axes in every[number:]:
        axes.set_axis_off()
    return list(every[:number])


def shorten_svg(text: str) -> str:
    """Round positions to hundredths of a point, those of long lines to tenths: the report holds many figures."""

    def shorten(place: re.Match[str]) -> str:
        digits = 1 if place[0].startswith(" d=") and len(place[0]) > _LONG else 2
        rounded = _NUMBER.sub(lambda number: f"{float(number[0]):.{digits}f}".rstrip("0").rstrip("."), place[0])
        return re.sub(r"(?<!\s)\s*([MLCQz])\s*(?=[-\d\"])", r"\1", rounded) if place[0].startswith(" d=") else rounded

    return re.sub(r">\s+<", "><", _PLACES.sub(shorten, text))


def plain_text(text: str, length: int) -> str:
    """Make foreign text safe for a figure: printable, at most `length` characters, and never taken for mathematics."""
    cut = printable(text) if len(text) <= length else printable(text, length - 1) + "…"
    return cut.replace("$", r"\$")


def in_thousandths(axis: Axis) -> None:
    """Label the ticks of an axis that has bohr² in 10⁻³ bohr²."""
    axis.set_major_formatter(lambda value, _: f"{1000 * value:g}".replace("-", "−"))


def whole_numbers(axis: Axis) -> None:
    """Place the ticks of an axis that counts at whole numbers."""
    axis.set_major_locator(MaxNLocator(integer=True))


def write_note(path: Path, sentence: str) -> None:
    """Write a sentence in place of a figure that cannot be drawn; `read_note` finds it."""
    write_text(path, f"{_NOTE}{escape(sentence)}</text></svg>\n")


def read_note(path: Path) -> str | None:
    """The sentence in place of a figure, None if the file is a figure."""
    text = path.read_text(encoding="utf-8") if path.suffix == ".svg" else ""
    return unescape(text.removeprefix(_NOTE).partition("</text>")[0]) if text.startswith(_NOTE) else None
