"""Read and write the small tables that stages pass on."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from xanesflow.core.arrays import read_array, write_array
from xanesflow.core.errors import BadArrayError, XanesflowError
from xanesflow.core.files import atomic_path, write_text
from xanesflow.core.reasons import REASONS, Rejected
from xanesflow.core.text import one_line, plural

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

REJECTED_COLUMNS = ["material_id", "site_index", "reason", "detail"]

STRUCTURES_AGAIN = "run `snakemake structures`"
ALL_AGAIN = "run snakemake again"
"""How a damaged table is made again once it is deleted."""


def read_parquet(
    path: str | Path,
    columns: list[str] | None = None,
    *,
    optional: Sequence[str] = (),
    filters: list[tuple[str, str, Any]] | None = None,
    again: str = STRUCTURES_AGAIN,
) -> pd.DataFrame:
    """Read a Parquet table that an earlier stage wrote.

    Args:
        path: the table.
        columns: those to read, which it must have; None: all.
        optional: further columns to read if it has them.
        filters: only the rows that meet these conditions, as pandas takes them.
        again: what makes the table again, for the error.

    Raises:
        XanesflowError: it does not exist, is damaged, cannot be read, or lacks a column.
    """
    import pandas as pd  # slow to import, and other functions here do not need it
    from pyarrow import parquet

    with _one_sentence(path, again):
        there = set(parquet.read_schema(path).names)
        missing = sorted(set(columns or ()) - there)
        if not missing:
            wanted = None if columns is None else [*columns, *(name for name in optional if name in there)]
            return pd.read_parquet(path, columns=wanted, filters=filters)
    raise XanesflowError(f"{path} has no column {', '.join(missing)}; delete it and {again}.")


def read_columns(path: Path, columns: list[str]) -> pa.Table:
    """Read those of the columns that a Parquet table has, without pandas.

    Raises:
        XanesflowError: it does not exist, is damaged or cannot be read.
    """
    from pyarrow import parquet

    with _one_sentence(path, STRUCTURES_AGAIN), parquet.ParquetFile(path) as file:  # others would load pandas
        return file.read(columns, use_threads=False)


def read_csv(path: str | Path, *, dtype: Any = None, keep_default_na: bool = True) -> pd.DataFrame:
    """Read a CSV table that an earlier stage wrote, with pandas' types and missing values.

    Raises:
        XanesflowError: it does not exist, is empty, damaged or cannot be read.
    """
    import pandas as pd

    with _one_sentence(path, ALL_AGAIN):
        return pd.read_csv(path, dtype=dtype, keep_default_na=keep_default_na)


@contextmanager
def _one_sentence(path: str | Path, again: str) -> Iterator[None]:
    """Turn what pandas and Arrow raise on a damaged table into one sentence."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, ValueError) as error:
        if not Path(path).exists():
            raise XanesflowError(f"{path} does not exist; {again}.") from None
        said = one_line(error, 160)
        raise XanesflowError(f"{path} cannot be read ({said}); delete it and {again}.") from None


def read_structures(path: str | Path, materials: Collection[str]) -> dict[str, str]:
    """Read pymatgen's JSON of some structures of a subset, by material id.

    Args:
        path: Parquet of the subset's structures.
        materials: ids; those that the file lacks are not in the result.

    Raises:
        XanesflowError: as `read_parquet`.
    """
    if not materials:
        return {}
    wanted = [("material_id", "in", set(materials))]
    table = read_parquet(path, ["material_id", "structure"], filters=wanted)
    return dict(table.itertuples(index=False, name=None))


def write_csv(path: str | Path, table: pd.DataFrame, float_format: str | None = None) -> None:
    """Write a table as CSV without its index, whole or not at all; by default with numbers in full precision."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format=float_format, lineterminator="\n")


def write_rows(
    path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any] | Sequence[Any]], missing: str = ""
) -> None:
    """Write rows as CSV with numbers in full precision, whole or not at all.

    Args:
        path: of the file.
        columns: their names.
        rows: each by column, or in the order of the columns.
        missing: takes the place of what a row by column lacks.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([row.get(name, missing) for name in columns] if isinstance(row, Mapping) else row)


def write_table(path: Path, about: Iterable[str], names: Sequence[str], columns: Iterable[Iterable[float]]) -> None:
    """Write spectra as CSV, energies with four decimals and all else with seven digits, whole or not at all.

    Args:
        path: of the file.
        about: lines for its head, each written after a `#`; their line breaks become spaces.
        names: of the columns.
        columns: first the energies.
    """
    rows = (
        f"{energy:.4f}," + ",".join(f"{value:.6e}" for value in values)
        for energy, *values in zip(*columns, strict=True)
    )
    write_text(path, "\n".join([*(f"# {' '.join(line.split())}" for line in about), ",".join(names), *rows]) + "\n")


def write_rejected(path: str | Path, rejected: Iterable[Rejected]) -> None:
    """Write a rejected table sorted by material and site, as CSV if `path` ends in `.csv`, else as Parquet."""
    import pandas as pd

    rows = [(r.material_id, r.site_index, r.reason, r.detail) for r in sorted(rejected)]
    table = pd.DataFrame(rows, columns=REJECTED_COLUMNS).astype({"site_index": "int64"})
    if Path(path).suffix == ".csv":
        write_csv(path, table)
        return
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_rejected(path: str | Path) -> list[Rejected]:
    """Read a rejected table that `write_rejected` wrote as Parquet.

    Raises:
        XanesflowError: as `read_parquet`.
    """
    table = read_parquet(path, REJECTED_COLUMNS, again=ALL_AGAIN)
    return [Rejected(str(m), int(i), str(r), str(d)) for m, i, r, d in table.itertuples(index=False)]


def count_reasons(rejected: Iterable[Rejected]) -> dict[str, int]:
    """Count the rejections by reason, in the order of the documented list; only reasons that occur."""
    counts = Counter(r.reason for r in rejected)
    return {reason: counts[reason] for reason in REASONS if counts[reason]}


def list_reasons(rejected: Iterable[Rejected]) -> str:
    """`2 no_output, 1064 outside_envelope`; empty if nothing was rejected."""
    return ", ".join(f"{number} {reason}" for reason, number in count_reasons(rejected).items())


def describe_counts(
    kept: int, rejected: Collection[Rejected], *, what: tuple[str, str] = ("spectrum", "spectra")
) -> str:
    """Write counts as a sentence: `3767 spectra kept, 1066 left out: 2 no_output, 1064 outside_envelope`."""
    left_out = f"{len(rejected)} left out: {list_reasons(rejected)}" if rejected else "none left out"
    return f"{plural(kept, *what)} kept, {left_out}"


def write_rejected_group(parent: h5py.Group, rejected: Sequence[Rejected]) -> None:
    """Write a rejected table as a group of four columns."""
    for name in REJECTED_COLUMNS:
        write_array(parent, f"rejected/{name}", [getattr(each, name) for each in sorted(rejected)])


def read_rejected_group(parent: h5py.Group) -> list[Rejected]:
    """Read what `write_rejected_group` wrote.

    Raises:
        BadArrayError: a column is missing, or has another type or length.
        ValueError: a reason is not known.
    """
    columns = [read_array(parent, f"rejected/{name}").tolist() for name in REJECTED_COLUMNS]
    if len({len(column) for column in columns}) > 1:
        raise BadArrayError("shapes", "its columns have different lengths")
    return [Rejected(*row) for row in zip(*columns, strict=True)]
