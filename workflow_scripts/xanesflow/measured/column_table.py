"""Read text in columns, as XDI, Athena's exports and beamlines write it: a header, names, numbers.

XDI is read here too, not by Larch's compiled reader, so that the same limits hold for all text. Tests on real files
check that both agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import fortran_number, plural

FEWEST_ROWS = 20
_LONGEST_NAMES = 20_000  # letters in a line of names
_MOST_DAMAGED = 3  # lines in a row
_EMPTY_EV = 100.0  # no scan leaves out so much between points; steps of long ones are up to 30 eV

_COMMENT = "#;%!*$<"
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eEdD][+-]?\d+)?")
_MISSING = frozenset(("nan", "na", "n/a", "inf", "+inf", "-inf", "infinity", "--", "null", "none", "1.#ind", "1.#qnan"))
_NUMERIC_LINE = re.compile(r"[\"+\-.\d][\deEdD+\-.,;\s\"]*")
_NEW_SCAN = re.compile(r"#[SL]\s")  # SPEC begins a scan with its number, then the names of its columns
_XDI_FIELD = re.compile(r"#\s*([A-Za-z]\w*\.[\w\s]+):\s*(.*)")


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """The numbers of a file and what its header says."""

    values: Floats  # (rows, columns), NaN where a field holds no number
    labels: tuple[str, ...]  # a name for each column, or empty
    units: tuple[str, ...]  # a unit for each label, empty if the file gives none
    fields: Mapping[str, str]  # XDI's `Family.key: value` lines, keys in lower case
    header: tuple[str, ...]  # lines above the numbers, without their comment signs
    decimal: str  # point or comma
    remarks: tuple[str, ...] = ()  # sentences for the user


def read_table(text: str, name: str, decimal: str | None = None) -> ColumnTable:
    """Read text in columns.

    Args:
        text: of the file.
        name: of the file, for sentences.
        decimal: point or comma; None finds out from the numbers.

    Raises:
        XanesflowError: it has no table, several tables, or commas that can be read in two ways.
    """
    lines = re.sub(r"[^\S\n]{3,}", "  ", text).split("\n")
    numeric = _longest_of_numbers(lines)
    separator, comma = _separation(numeric, lines, name, decimal)
    rows, first, left_out = _largest_block(lines, separator, name, comma=comma)
    values = np.array([[_value(cell, comma=comma) for cell in row] for row in rows])
    header = [line.strip() for line in lines[:first] if line.strip()]
    fields = {match[1].strip().lower(): match[2].strip() for line in header if (match := _XDI_FIELD.fullmatch(line))}
    labels, units = _names(header, fields, values.shape[1], separator)
    plain = tuple(line.lstrip(_COMMENT + " ") for line in header)
    remarks = (f"{plural(left_out, 'damaged line')} left out of the table",) if left_out else ()
    return ColumnTable(values, labels, units, fields, plain, "comma" if comma else "point", remarks)


def _longest_of_numbers(lines: Sequence[str]) -> list[str]:
    """The longest run of lines with nothing but several numbers, at most 3,000: a number in the header is no row."""
    runs: list[list[str]] = [[]]
    for line in lines:
        row = line.strip()
        if _NUMERIC_LINE.fullmatch(row) and re.search(r"[\s,;]", row):
            runs[-1].append(line)
        elif runs[-1]:
            runs.append([])
    return max(runs, key=len)[:3000]


def _separation(numeric: Sequence[str], lines: Sequence[str], name: str, decimal: str | None) -> tuple[str, bool]:
    """The pattern that separates columns, and whether commas are decimal marks."""
    joined = "\n".join(line.strip() for line in numeric)
    other = r"\s*;\s*|" if ";" in joined else ""
    if "," not in joined:
        return other + r"\s+", decimal == "comma"
    point = bool(re.search(r"\.\d|\d\.", joined))
    without = re.sub(r"(?<!\s)\s*,\s+", ",", joined) if point or decimal == "point" else joined
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
    """The parts of a line of numbers; None if the line holds anything else."""
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
    return fortran_number(number)


@dataclass
class _Run:
    """Consecutive rows with the same number of columns."""

    rows: list[list[str]]  # their cells
    first: int  # number of the first line
    before: int  # lines of anything else since the last run
    new_scan: bool  # whether a line says that another scan begins here


def _largest_block(lines: Sequence[str], separator: str, name: str, *, comma: bool) -> tuple[list[list[str]], int, int]:
    """The longest run of rows, across a few damaged lines: rows, number of the first line, lines left out."""
    runs: list[_Run] = []
    other, above, new_scan = 1, "", False
    for number, line in enumerate(lines):
        stripped = line.strip()
        comment = not stripped or stripped[0] in _COMMENT
        cells = None if comment else _cells(line, separator, comma=comma)
        if cells is None:
            other += not comment
            if not runs:
                above = stripped or above
            elif _NEW_SCAN.match(stripped) or (stripped == above and re.search("[A-Za-z]", above)):
                new_scan = True
        elif not other and not new_scan and len(cells) == len(runs[-1].rows[0]):
            runs[-1].rows.append(cells)
        else:
            runs.append(_Run([cells], number, other, new_scan))
            other, new_scan = 0, False
    if not runs:
        raise XanesflowError(f"{name} has no table of numbers; give a spectrum as text in columns.")

    begin, end, left_out = _grown(runs)
    if any(run.new_scan for run in runs[begin + 1 : end + 1]):
        raise several_scans(name)
    columns = len(runs[begin].rows[0])
    rows = [row for run in runs[begin : end + 1] if len(run.rows[0]) == columns for row in run.rows]
    if len(rows) < FEWEST_ROWS:
        raise XanesflowError(
            f"{name} has a table of {plural(len(rows), 'row')} only, too few for a spectrum; give the whole scan."
        )
    outside = sum(len(run.rows) for run in (*runs[:begin], *runs[end + 1 :]))
    if outside + left_out > 0.1 * len(rows):
        raise XanesflowError(
            f"{name} has rows with different numbers of columns, or several tables; give a file with one table."
        )
    return rows, runs[begin].first, left_out


def _grown(runs: Sequence[_Run]) -> tuple[int, int, int]:
    """Extend the longest run across gaps of a few lines, to runs of as many columns: first, last, lines in gaps."""
    longest = max(range(len(runs)), key=lambda n: len(runs[n].rows))
    columns = len(runs[longest].rows[0])
    begin, end, left_out = longest, longest, 0
    for step in (-1, 1):
        gap, here = 0, longest
        while 0 <= here + step < len(runs) and gap <= _MOST_DAMAGED:
            gap += runs[max(here, here + step)].before
            here += step
            run = runs[here]
            if len(run.rows[0]) == columns and len(run.rows) > 2 and gap <= _MOST_DAMAGED:
                begin, end, left_out, gap = min(begin, here), max(end, here), left_out + gap, 0
            else:
                gap += len(run.rows)
    return begin, end, left_out


def _names(
    header: Sequence[str], fields: Mapping[str, str], columns: int, separator: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of columns: from `Column.N`, else from the last header line with as many names."""
    if "column.1" in fields:
        stated = [fields.get(f"column.{n}", "").split("||")[0].split() for n in range(1, columns + 1)]
        return tuple(s[0] if s else "" for s in stated), tuple(" ".join(s[1:]) for s in stated)
    for line in list(reversed(header))[:3]:
        bare = line.lstrip(_COMMENT + " ").strip()
        bare = bare[2:] if line.startswith("#L ") else bare
        if len(bare) > _LONGEST_NAMES:
            continue
        bare = re.sub(r"\s{1,2}([(\[][^)\]]*[)\]])", r"\1", bare)
        for pattern in (r"\s*,\s*", r"\s*;\s*", r"\t+", r"\s{2,}", separator):
            names = [part.strip().strip("\"'") for part in re.split(pattern, bare)]
            if len(names) == columns and sum(bool(re.match("[^\\d\\W]", each)) for each in names) > columns / 2:
                found = [
                    re.fullmatch(r"(.{0,200}?)\s{0,2}(?:[(\[]([^)\]]{0,200})[)\]]|/\s*(k?eV))?", each) for each in names
                ]
                labels = tuple(
                    match[1] if match and match[1] else each for match, each in zip(found, names, strict=True)
                )
                return labels, tuple((match[2] or match[3] or "") if match else "" for match in found)
    return (), ()


def several_scans(name: str) -> XanesflowError:
    """The error for a file with more than one scan."""
    return XanesflowError(f"{name} holds several scans one below the other; give each a file of its own.")


def check_one_scan(energy: Floats, name: str) -> None:
    """Refuse energies that jump, because a second scan begins below the first or far above it.

    Args:
        energy: (n,) in eV, in the order of the file.
        name: of the file, for sentences.

    Raises:
        XanesflowError: they jump back, or leave out `_EMPTY_EV` between two parts as long as scans.
    """
    steps = np.diff(energy)
    forward = np.sign(np.median(steps)) or 1.0
    inner = steps[FEWEST_ROWS - 1 : len(energy) - FEWEST_ROWS]
    if np.any(-forward * steps > 0.5 * np.ptp(energy)) or np.any(np.abs(inner) > _EMPTY_EV):
        raise several_scans(name)
