"""Text in columns, as XDI, Athena's exports and beamlines write it: a header, names, numbers.

XDI is read here too rather than by Larch's compiled reader, so that all text meets the same limits; that both agree
is tested on real files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.measured.spectrum import Floats

FEWEST_ROWS = 20

_COMMENT = "#;%!*$<"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_MISSING = frozenset(("nan", "na", "n/a", "inf", "+inf", "-inf", "infinity", "--", "null", "none", "1.#ind", "1.#qnan"))
_NUMERIC_LINE = re.compile(r"[+\-.\d][\deEdD+\-.,;\s\"]*")
_XDI_FIELD = re.compile(r"#\s*([A-Za-z]\w*\.[\w ]+?)\s*:\s*(.*)")


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """The numbers of a file and what its header says.

    Attributes:
        values: (rows, columns), NaN where a field holds no number.
        labels: a name for each column, or none at all.
        units: a unit for each column, empty where none stands there; as many as labels.
        fields: XDI's `Family.key: value` lines, keys in lower case.
        header: lines above the numbers, without their comment signs.
        decimal: point or comma.
    """

    values: Floats
    labels: tuple[str, ...]
    units: tuple[str, ...]
    fields: Mapping[str, str]
    header: tuple[str, ...]
    decimal: str


def read_table(text: str, name: str, decimal: str | None = None) -> ColumnTable:
    """Read text in columns.

    Args:
        text: of the file.
        name: of the file, for sentences.
        decimal: point or comma; None: as the numbers show.

    Raises:
        XanesflowError: it has no table, several ones, or commas that can be read in two ways.
    """
    lines = text.split("\n")
    numeric = [line for line in lines if _NUMERIC_LINE.fullmatch(line.strip())][:3000]
    separator, comma = _separation(numeric, lines, name, decimal)
    rows, first = _largest_block(lines, separator, name, comma=comma)
    values = np.array([[_value(cell, comma=comma) for cell in row] for row in rows])
    header = [line.strip() for line in lines[:first] if line.strip()]
    fields = {match[1].lower(): match[2].strip() for line in header if (match := _XDI_FIELD.fullmatch(line))}
    labels, units = _names(header, fields, values.shape[1], separator)
    plain = tuple(line.lstrip(_COMMENT + " ") for line in header)
    return ColumnTable(values, labels, units, fields, plain, "comma" if comma else "point")


def _separation(numeric: Sequence[str], lines: Sequence[str], name: str, decimal: str | None) -> tuple[str, bool]:
    """A pattern of what stands between columns, and whether commas are decimal."""
    joined = "\n".join(line.strip() for line in numeric)
    other = "".join({";": r"\s*;\s*|", "": ""}[";" if ";" in joined else ""])
    if "," not in joined:
        return other + r"\s+", decimal == "comma"
    point = bool(re.search(r"\.\d|\d\.", joined))
    without = re.sub(r"\s*,\s+", ",", joined) if point or decimal == "point" else joined
    spaced = ";" in joined or any(re.search(r"[\d.]\s+[\d.+-]", line) for line in without.split("\n"))
    if point and spaced and re.search(r"\d,\d+\.\d|\d\.\d+,\d", joined):
        raise XanesflowError(
            f"{name} has numbers with both commas and points, as 7,112.5; write them without signs between thousands."
        )
    if decimal is None:
        if point or all(re.fullmatch(r"[^,]*(,\s+[^,]+)+", line.strip()) for line in numeric):
            decimal = "point"
        elif spaced:
            decimal = "comma"
        elif _named_columns(numeric, lines):
            decimal = "point"
        else:
            raise XanesflowError(
                f"{name} has commas and no points, so that a comma may separate columns or decimals; "
                "say which with --decimal point or --decimal comma."
            )
    if decimal == "comma":
        if not spaced:
            raise XanesflowError(
                f"{name} has commas alone, which cannot separate columns and decimals at once; "
                "write it with semicolons or tabs between columns."
            )
        return other + r"\s+", True
    return other + r"\s*,\s*|\s+", False


def _named_columns(numeric: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether the line above the numbers has as many names between commas as the numbers have parts."""
    above = lines[: lines.index(numeric[0])]
    names = next((line for line in reversed(above) if line.strip()), "")
    return names.count(",") == numeric[0].count(",") and bool(re.search("[A-Za-z]", names))


def _cells(line: str, separator: str, *, comma: bool) -> list[str] | None:
    """The parts of a line of numbers; None if anything else stands there."""
    parts = [part.strip('"') for part in re.split(separator, line.strip().rstrip(",;" if not comma else ";"))]
    if len(parts) < 2:
        return None
    for part in parts:
        number = part.replace(",", ".") if comma else part
        if not _NUMBER.fullmatch(number) and number.lower() not in _MISSING and number:
            return None
    return parts if any(part for part in parts) else None


def _value(cell: str, *, comma: bool) -> float:
    number = cell.replace(",", ".") if comma else cell
    if not _NUMBER.fullmatch(number):
        return float("nan")
    return float(number.replace("D", "E").replace("d", "e"))


def _largest_block(lines: Sequence[str], separator: str, name: str, *, comma: bool) -> tuple[list[list[str]], int]:
    """The longest run of rows with as many columns each, and the line that it begins at."""
    blocks: list[tuple[list[list[str]], int]] = []
    open_block = False
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped or stripped[0] in _COMMENT:
            continue
        cells = _cells(line, separator, comma=comma)
        if cells is None:
            open_block = False
        elif open_block and len(cells) == len(blocks[-1][0][0]):
            blocks[-1][0].append(cells)
        else:
            blocks.append(([cells], number))
            open_block = True
    if not blocks:
        raise XanesflowError(f"{name} has no table of numbers; give a spectrum as text in columns.")
    longest = max(blocks, key=lambda block: len(block[0]))
    rows = len(longest[0])
    if rows < FEWEST_ROWS:
        raise XanesflowError(f"{name} has a table of {rows} rows only, too few for a spectrum; give the whole scan.")
    others = sum(len(block[0]) for block in blocks if block is not longest)
    if others > 0.1 * rows:
        raise XanesflowError(
            f"{name} has rows with different numbers of columns, or several tables; give a file with one table."
        )
    return longest


def _names(
    header: Sequence[str], fields: Mapping[str, str], columns: int, separator: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of columns: from `Column.N`, else the last line of the header that has as many names."""
    if "column.1" in fields:
        stated = [fields.get(f"column.{n}", "").split("||")[0].split() for n in range(1, columns + 1)]
        return tuple(s[0] if s else "" for s in stated), tuple(" ".join(s[1:]) for s in stated)
    for line in list(reversed(header))[:3]:
        bare = line.lstrip(_COMMENT + " ").strip()
        bare = bare[2:] if line.startswith("#L ") else bare
        bare = re.sub(r"\s+([(\[][^)\]]*[)\]])", r"\1", bare)
        for pattern in (r"\s*,\s*", r"\s*;\s*", r"\t+", r"\s{2,}", separator):
            names = [part.strip().strip("\"'") for part in re.split(pattern, bare)]
            if len(names) == columns and sum(bool(re.match("[^\\d\\W]", each)) for each in names) > columns / 2:
                found = [re.fullmatch(r"(.*?)\s*(?:[(\[]([^)\]]*)[)\]]|/\s*(k?eV))?", each) for each in names]
                labels = tuple(
                    match[1] if match and match[1] else each for match, each in zip(found, names, strict=True)
                )
                return labels, tuple((match[2] or match[3] or "") if match else "" for match in found)
    return (), ()


def several_scans(energy: Floats) -> bool:
    """Whether energies jump back as where a second scan begins below the first."""
    span = np.ptp(energy)
    steps = np.array([b - a for a, b in pairwise(energy)])
    forward = np.sign(np.median(steps)) or 1.0
    return bool(np.any(-forward * steps > 0.5 * span))
