"""The report's part on which structures measured spectra belong to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xanesflow.core.tables import read_csv
from xanesflow.report.explorer.packing import picture

MOST_SCANS, MOST_FIGURES = 50, 12
"""Scans that are shown, and those with a figure; a series has hundreds."""

_CANDIDATES = 3


def measured_part(folder: Path) -> dict[str, Any]:
    """Collect what the template `measured.html` shows.

    Args:
        folder: `results/measured`.
    """
    record = json.loads((folder / "ranking.json").read_text(encoding="utf-8"))
    left_out = read_csv(folder / "left_out.csv", dtype=str)
    figures = sorted((folder / "figures").glob("*.svg"))[:MOST_FIGURES]
    return {
        "scans": [
            {**scan, "rows": scan["rows"][:_CANDIDATES], "of": len(scan["rows"])} for scan in record[:MOST_SCANS]
        ],
        "more": max(len(record) - MOST_SCANS, 0),
        "left_out": left_out["detail"].tolist(),
        "figures": {f"{number + 1}. {record[number]['source']}": picture(path) for number, path in enumerate(figures)},
    }
