"""Write a ranking: a table (.csv), or everything that is known (.json)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import json_text, write_text
from xanesflow.core.provenance import versions
from xanesflow.core.tables import write_rows
from xanesflow.core.text import printable
from xanesflow.matching.rank_candidates import Match
from xanesflow.matching.ranking import Row

COLUMNS = (
    "rank", "id", "formula", "element", "shift_ev", "width_ev", "rms", "spearman", "derivative_correlation",
    "certainty",
)  # fmt: skip


def check_page(path: Path) -> None:
    """Refuse a file name that is not that of a page.

    Raises:
        XanesflowError: it ends otherwise.
    """
    if path.suffix.lower() != ".html":
        raise XanesflowError(f"--page {path} must end with .html.")


def row_values(row: Row, element: str) -> dict[str, Any]:
    """The entries of a row by column."""
    fit = row.likeness
    values = (
        row.rank, row.reference.id, row.reference.formula, element, round(fit.shift_ev, 2), round(fit.width_ev, 2),
        round(fit.rms, 5), round(fit.spearman, 4), round(fit.derivative_correlation, 4), round(row.certainty, 4),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def write_matches(path: Path, matches: Sequence[Match], *, series: bool) -> None:
    """Write the ranking of a scan, or those of a series: one table (.csv) with a column `scan`, or a list (.json)."""
    if path.suffix.lower() == ".csv":
        rows = [
            ({"scan": printable(match.spectrum.source)} if series else {}) | row_values(row, match.spectrum.element)
            for match in matches
            for row in match.rows
        ]
        write_rows(path, (("scan",) if series else ()) + COLUMNS, rows)
        return
    records = [as_record(match) for match in matches]
    write_text(path, json_text(records if series else records[0], indent=1) + "\n")


def as_record(match: Match) -> dict[str, Any]:
    """Everything about a match, ready for JSON."""
    rows = []
    for row in match.rows:
        around = row.reference.surroundings
        rows.append(
            {
                **row_values(row, match.spectrum.element),
                "name": row.reference.name,
                "oxidation_state": around.oxidation_state if around else None,
                "coordination": around.coordination if around else None,
                "fitted": [None if np.isnan(value) else round(float(value), 5) for value in row.likeness.fitted],
            }
        )
    return {
        "source": match.spectrum.source,
        "element": match.spectrum.element,
        "theory": match.theory,
        "model": match.model or None,
        "conclusion": match.conclusion,
        "warnings": list(match.warnings),
        "left_out": list(match.left_out),
        "known": match.known,
        "energy_ev": match.target.energy_ev.tolist(),
        "measured": [round(float(value), 6) for value in match.target.values],
        "half_step_ev": match.target.half_step_ev,
        "reading": {key: value for key, value in match.spectrum.parameters.items() if key != "versions"},
        "rows": rows,
        "versions": versions(("xraylarch", "pymatgen", "larixite")),
    }
