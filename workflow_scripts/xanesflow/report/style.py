"""How figures look: colours that colour-blind readers tell apart, and the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from xanesflow.files import atomic_path

TRUTH, MODEL, BASELINE, BAND = "#222222", "#0072B2", "#D55E00", "#9ecae1"

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "xanesflow",  # element ids are random otherwise
    "svg.fonttype": "none",  # text stays text: smaller, and it can be searched
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


@contextmanager
def figure(path: str | Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of `width` × `height` inches that is saved to `path` when the block ends well."""
    with mpl.rc_context(_STYLE):
        drawn = plt.figure(figsize=(width, height))
        try:
            yield drawn
            with atomic_path(path) as temporary:
                drawn.savefig(temporary, metadata={"Date": None} if Path(path).suffix == ".svg" else None)
        finally:
            plt.close(drawn)
