"""Lists and tables in Markdown, for datacards and model cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(lines: Iterable[str]) -> str:
    """A list with one item on each line."""
    return "\n".join(f"- {line}" for line in lines)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; any | within a cell is escaped."""
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)
