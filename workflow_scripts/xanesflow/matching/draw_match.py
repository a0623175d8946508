"""Draw a match: the measured spectrum and the best three, what is left of each, and the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xanesflow.core.figures import COLOURS, MODEL, TRUTH, figure, plain_text
from xanesflow.core.text import printable
from xanesflow.matching.rank_candidates import Match
from xanesflow.matching.ranking import Row

BEST = 3
"""How many candidates are laid over the measured spectrum."""

_BARS = 12


def label_of(row: Row) -> str:
    """Short name of a candidate."""
    return printable(row.reference.short_name, 32)


def draw_match(path: Path, match: Match) -> None:
    """Draw the figure."""
    energy, best = match.target.energy_ev, match.rows[:BEST]
    with figure(path, 9.0, 4.6) as drawn:
        grid = drawn.add_gridspec(2, 2, width_ratios=(3, 2), height_ratios=(3, 1))
        spectra, rest, bars = (drawn.add_subplot(part) for part in (grid[0, 0], grid[1, 0], grid[:, 1]))
        spectra.plot(energy, match.target.values, color=TRUTH, lw=1.6, label="measured")
        for row, colour in zip(best, COLOURS, strict=False):
            name = f"{row.rank} {plain_text(label_of(row), 32)}, RMS {row.likeness.rms:.3f}"
            spectra.plot(energy, row.likeness.fitted, color=colour, lw=1.1, label=name)
            rest.plot(energy, match.target.values - row.likeness.fitted, color=colour, lw=1.0)
        spectra.set_ylabel("normalised absorption")
        spectra.set_title(plain_text(match.spectrum.source, 60))
        spectra.legend(loc="lower right", fontsize=7)
        rest.axhline(0, color=TRUTH, lw=0.6)
        rest.set_ylabel("difference")
        rest.set_xlabel("photon energy (eV)")
        for axes in (spectra, rest):
            axes.ticklabel_format(useOffset=False)
        shown = match.rows[:_BARS][::-1]
        bars.barh(range(len(shown)), [100 * row.certainty for row in shown], color=MODEL)
        bars.set_yticks(range(len(shown)), [plain_text(label_of(row), 32) for row in shown], fontsize=7)
        bars.set_xlabel("certainty (%)")
        bars.set_xlim(0, 100)


def draw_matches(path: Path, matches: Sequence[Match]) -> None:
    """Draw the match of a scan, or over the scans of a series the certainty of each candidate that comes first once."""
    if len(matches) == 1:
        draw_match(path, matches[0])
        return
    first = dict.fromkeys(match.rows[0].reference.id for match in matches)
    names = {row.reference.id: plain_text(label_of(row), 32) for match in matches for row in match.rows}
    with figure(path, 7.0, 3.6) as drawn:
        axes = drawn.subplots()
        for candidate in first:
            found = [{row.reference.id: row.certainty for row in match.rows}.get(candidate, 0.0) for match in matches]
            axes.plot(range(1, len(matches) + 1), [100 * each for each in found], ".-", lw=1.2, label=names[candidate])
        axes.set_xlabel("scan")
        axes.set_ylabel("certainty (%)")
        axes.set_ylim(0, 102)
        axes.legend(fontsize=7)
