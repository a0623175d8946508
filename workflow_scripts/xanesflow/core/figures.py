"""How figures look: colours that colour-blind readers can distinguish, and the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from xanesflow.core.files import atomic_path
from xanesflow.core.svg import shorten_svg

TRUTH, MODEL, BASELINE, BAND = "#222222", "#0072B2", "#D55E00", "#9ecae1"

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
