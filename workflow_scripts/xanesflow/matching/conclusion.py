"""What a ranking says, in words: one material, or only what the likely ones have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from xanesflow.core.text import listing
from xanesflow.matching.ranking import Reference, Row

SURE = 0.8
"""Certainty from which a statement is made."""

_NAMED = 5


def conclude(rows: Sequence[Row], element: str) -> str:
    """The most detailed statement that is at least `SURE`.

    Args:
        rows: the candidates, the most probable first.
        element: symbol of the absorber.
    """
    first = rows[0]
    if first.certainty >= SURE:
        return f"{titled(first.reference)} is the best candidate, certainty {first.certainty:.0%}."
    likely = _likely(rows)
    materials = {row.reference.formula or row.reference.short_name for row in likely}  # of scans no formula is known
    if len(materials) == 1:
        kind = "structures" if first.reference.scan is None else "scans"
        return f"{materials.pop()}, but not which of its {len(likely)} {kind}: {_names(likely)}."
    state = _common(rows, _oxidation)
    coordination = _common(rows, _coordination)
    candidates = f"the likely candidates are {_names(likely)}"
    if state and coordination:
        return f"Oxidation state and coordination only: {element} {state}, {coordination}; {candidates}."
    if state:
        return f"Oxidation state only: {element} {state}; {candidates}."
    if coordination:
        return f"Coordination only: {coordination}; {candidates}."
    return f"No clear answer; {candidates}."


def titled(reference: Reference) -> str:
    """Name, formula and id of a candidate, as far as they are known."""
    words = [word for word in (reference.name.split(",")[0], reference.formula) if word]
    return f"{', '.join(words)} ({reference.id})" if words else reference.id


def _likely(rows: Sequence[Row]) -> list[Row]:
    """The fewest rows, from the first, that have `SURE` of the certainty."""
    kept, total = [], 0.0
    for row in rows:
        kept.append(row)
        total += row.certainty
        if total >= SURE:
            break
    return kept


def _names(rows: Sequence[Row]) -> str:
    """Names of the first candidates, and ids of those that share a name."""
    names = [row.reference.short_name for row in rows]
    shown = [
        row.reference.id if names.count(name) > 1 else name for row, name in zip(rows[:_NAMED], names, strict=False)
    ]
    return listing(shown) if len(rows) <= _NAMED else f"{', '.join(shown)} and {len(rows) - _NAMED} more"


def _common(rows: Sequence[Row], describe: Callable[[Reference], str]) -> str:
    """The description that has `SURE` of the certainty; empty if none has."""
    shares: dict[str, float] = defaultdict(float)
    for row in rows:
        shares[describe(row.reference)] += row.certainty
    best = max(shares, key=lambda name: shares[name])
    return best if best and shares[best] >= SURE else ""


def _oxidation(reference: Reference) -> str:
    known = reference.surroundings.oxidation_state if reference.surroundings else None
    return "" if known is None else "metal" if reference.metal else f"{known:+.3g}"


def _coordination(reference: Reference) -> str:
    known = reference.surroundings.coordination if reference.surroundings else None
    return "" if known is None else f"{known:.0f} neighbours"
