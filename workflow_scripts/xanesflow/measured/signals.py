"""Find what the columns hold, and compute µ: transmission ln(I0/It), fluorescence If/I0, or µ itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural
from xanesflow.measured.column_table import ColumnTable
from xanesflow.measured.foreign_file import on_one_line
from xanesflow.measured.measured_spectrum import Floats, Mode

ROLES: Mapping[str, tuple[str, ...]] = {
    "energy": ("energy", "e", "en", "ev", "energyev", "energykev", "monoenergy", "photonenergy"),
    "angle": ("angle", "theta", "monoangle", "bragg", "braggangle", "monotheta"),
    "mu": ("mu", "xmu", "mue", "xmue", "mux", "ux", "absorption", "absorbance", "abs", "absorptioncoefficient"),
    "mutrans": ("mutrans", "mutransmission"),
    "mufluor": ("mufluor", "mufluo", "mufluorescence"),
    "murefer": ("murefer", "muref", "mureference"),
    "norm": (
        "norm", "nor", "normalized", "normalised", "normmu", "munorm", "normalizedmu", "normalisedmu",
        "normabs", "normalizedabsorption", "normalisedabsorption",
    ),
    "flat": ("flat", "flattened"),
    "i0": ("i0", "io", "monitor", "mon"),
    "it": ("itrans", "it", "trans", "transmission", "transmitted", "i1"),
    "if": ("ifluor", "if", "iff", "ifluo", "fluor", "fluo", "fluorescence"),
    "ir": ("irefer", "ir", "iref", "ireference", "reference", "i2"),
}  # fmt: skip
"""Names that a column may have, in lower-case letters and digits only."""

_NEEDS: Mapping[Mode, tuple[tuple[str, ...], ...]] = {
    "mu": (("mu",),),
    "transmission": (("mutrans",), ("i0", "it")),
    "fluorescence": (("mufluor",), ("i0", "if")),
    "reference": (("murefer",), ("it", "ir")),
    "normalised": (("norm",), ("flat",)),
}

_EXAMPLE = "--columns energy=1,i0=2,it=3 (or mu=, if=, norm=)"

_BAD_COUNTS = 0.1  # up to this share of points without a positive count is left out; beyond it the file is refused


@dataclass(frozen=True, eq=False)
class Signal:
    """Columns of a file made into a spectrum, as many points as the file has rows."""

    x: Floats  # (n,) energies or angles as the file gives them
    x_is_angle: bool  # whether the column is named as an angle
    x_unit: str  # as the file states it, or empty
    mu: Floats  # (n,) NaN where it cannot be computed
    mode: Mode  # what `mu` was computed from
    flattened: Floats | None  # (n,) or None
    used: Mapping[str, str]  # columns by role, for the record
    remarks: tuple[str, ...]  # sentences for the user


def take_signal(table: ColumnTable, name: str, columns: str | None, mode: Mode | None) -> Signal:
    """Choose the columns and compute µ.

    Args:
        table: what the file holds.
        name: of the file, for sentences.
        columns: as the user states them, such as `energy=1,i0=2,it=3`.
        mode: the signal to take if there are several.

    Raises:
        XanesflowError: columns are not named or can be taken in several ways; counts are not positive.
    """
    roles = _stated(table, name, columns) if columns else _named(table)
    if not roles and table.values.shape[1] == 2:
        roles = {"energy": (0,), "norm" if mode == "normalised" else "mu": (1,)}
    x_role = "energy" if "energy" in roles else "angle"
    if x_role not in roles:
        raise XanesflowError(
            f"{name} does not say which of its columns is what ({_described(table)}); say it with {_EXAMPLE}."
        )
    mode = mode or _only_mode(roles, table, name)
    needed = next((each for each in _NEEDS[mode] if all(role in roles for role in each)), None)
    if needed is None:
        raise XanesflowError(
            f"{name} has no columns for {mode} that are named so ({_described(table)}); say which with {_EXAMPLE}."
        )
    parts = {role: table.values[:, list(roles[role])].sum(axis=1) for role in needed}
    mu, remarks = _made(mode, needed, parts, name)
    position = roles[x_role][0]
    flat = table.values[:, roles["flat"][0]] if mode == "normalised" and "flat" in roles else None
    used = {role: "+".join(_called(table, n) for n in roles[role]) for role in (x_role, *needed)}
    unit = table.units[position] if table.units else ""
    if not unit and table.labels and table.labels[position].lower().endswith("ev"):
        unit = "keV" if table.labels[position].lower().endswith("kev") else "eV"
    return Signal(table.values[:, position], x_role == "angle", unit, mu, mode, flat, used, remarks)


def _named(table: ColumnTable) -> dict[str, tuple[int, ...]]:
    """Columns by role, from their names; the more specific name wins (`itrans` before `i1`)."""
    plain = [re.sub(r"[\W_]", "", label.lower()) for label in table.labels]
    found: dict[str, tuple[int, ...]] = {}
    for role, names in ROLES.items():
        position = next((plain.index(each) for each in names if each in plain), None)
        if position is not None:
            found[role] = (position,)
    return found


def _stated(table: ColumnTable, name: str, columns: str) -> dict[str, tuple[int, ...]]:
    """Columns by role, as the user states them."""
    found: dict[str, tuple[int, ...]] = {}
    for part in columns.split(","):
        role, _, where = (each.strip() for each in part.partition("="))
        if role not in ROLES or not where:
            raise XanesflowError(
                f"--columns {on_one_line(columns)} is not understood at '{on_one_line(part)}'; "
                f"write it as {_EXAMPLE}, with roles among {', '.join(ROLES)}."
            )
        found[role] = tuple(_position(table, name, each.strip()) for each in where.split("+"))
    return found


def _position(table: ColumnTable, name: str, where: str) -> int:
    number = int(where) if re.fullmatch(r"\d{1,6}", where) else 0
    if 1 <= number <= table.values.shape[1]:
        return number - 1
    labels = [label.lower() for label in table.labels]
    if where.lower() in labels:
        return labels.index(where.lower())
    raise XanesflowError(f"{name} has no column '{on_one_line(where)}' ({_described(table)}); check --columns.")


def _only_mode(roles: Mapping[str, tuple[int, ...]], table: ColumnTable, name: str) -> Mode:
    """The signal that the columns give, if there is only one; a reference is used only on request."""
    counted: tuple[Mode, ...] = ("mu", "transmission", "fluorescence")
    there = [mode for mode in counted if _possible(mode, roles)]
    if there == ["mu", "transmission"]:
        there = ["mu"]
    if not there and _possible("normalised", roles):
        return "normalised"
    if len(there) == 1:
        return there[0]
    if there:
        raise XanesflowError(
            f"{name} holds {' and '.join(there)}; say which to take with --mode {' or --mode '.join(there)}."
        )
    raise XanesflowError(
        f"{name} does not say which of its columns is what ({_described(table)}); say it with {_EXAMPLE}."
    )


def _possible(mode: Mode, roles: Mapping[str, object]) -> bool:
    return any(all(role in roles for role in needed) for needed in _NEEDS[mode])


def _made(
    mode: Mode, needed: tuple[str, ...], parts: Mapping[str, Floats], name: str
) -> tuple[Floats, tuple[str, ...]]:
    if len(needed) == 1:
        return parts[needed[0]], ()
    remarks = []
    for role in needed:
        counts = parts[role]
        known = counts[np.isfinite(counts)]
        if not len(known) or np.mean(known <= 0) > _BAD_COUNTS:
            raise XanesflowError(
                f"{name}: the counts of {role} are mostly not positive, so that no µ can be computed; check --columns."
            )
        if np.any(known <= 0):
            remarks.append(
                f"{plural(int(np.sum(known <= 0)), 'point')} left out, where counts of {role} are not positive"
            )
        if _saturated(counts):
            remarks.append(f"the counts of {role} stay at their maximum, as of a detector that saturates")
    upper, lower = (parts["if"], parts["i0"]) if mode == "fluorescence" else (parts[needed[0]], parts[needed[1]])
    good = (upper > 0) & (lower > 0)
    ratio = np.divide(upper, lower, out=np.full(len(upper), np.nan), where=good)
    return (ratio if mode == "fluorescence" else np.log(ratio)), tuple(remarks)


def _saturated(counts: Floats) -> bool:
    """Whether the largest value occurs five times in a row, but not in most of the scan."""
    top = counts == np.nanmax(counts)
    if top.sum() < 5 or top.mean() > 0.5:
        return False
    return bool(np.any(np.convolve(top, np.ones(5), mode="valid") > 4.5))


def _called(table: ColumnTable, position: int) -> str:
    label = on_one_line(table.labels[position], 30) if table.labels else ""
    return label or str(position + 1)


def _described(table: ColumnTable) -> str:
    """`1 energy: 7000 to 7800, 2: 0.1 to 0.9`."""
    shown = []
    for position in range(min(table.values.shape[1], 8)):
        column = table.values[:, position]
        column = column[np.isfinite(column)]
        label = f" {_called(table, position)}" if table.labels and table.labels[position] else ""
        between = f"{column.min():.5g} to {column.max():.5g}" if len(column) else "no numbers"
        shown.append(f"{position + 1}{label}: {between}")
    more = ", …" if table.values.shape[1] > 8 else ""
    return f"{table.values.shape[1]} columns, " + ", ".join(shown) + more
