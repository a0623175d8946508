"""Find what the columns hold, and compute µ: transmission ln(I0/It), fluorescence If/I0, or µ itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural
from xanesflow.measured.column_table import ColumnTable
from xanesflow.measured.foreign_file import on_one_line
from xanesflow.measured.measured_spectrum import Mode

ROLES: Mapping[str, tuple[str, ...]] = {
    "energy": ("energy", "e", "en", "ev", "energyev", "energykev", "monoenergy", "photonenergy"),
    "angle": ("angle", "theta", "monoangle", "bragg", "braggangle", "monotheta"),
    "mu": ("mu", "xmu", "mue", "xmue", "mux", "ux", "mut", "absorption", "absorbance", "abs", "absorptioncoefficient"),
    "mutrans": ("mutrans", "mutransmission"),
    "mufluor": ("mufluor", "mufluo", "mufluorescence"),
    "murefer": ("murefer", "muref", "mureference"),
    "norm": (
        "norm", "nor", "normalized", "normalised", "normmu", "munorm", "normalizedmu", "normalisedmu",
        "normabs", "normalizedabsorption", "normalisedabsorption", "normtrans", "normfluor",
    ),
    "flat": ("flat", "flattened"),
    "i0": ("i0", "io", "monitor", "mon"),
    "it": ("itrans", "it", "trans", "transmission", "transmitted", "i1"),
    "if": ("ifluor", "if", "iff", "ifluo", "fluor", "fluo", "fluorescence"),
    "ir": ("irefer", "ir", "iref", "ireference", "reference", "i2"),
}  # fmt: skip
"""Names that a column may have, in lower-case letters and digits only, with `mu` for µ."""

OWN_TABLE = ("energy_ev", "mu", "normalised", "flattened")
"""The columns that `xanesflow measured --output FILE.csv` writes; read again, it stays as it was normalised."""

OWN = "Xanesflow"
"""Family of the fields in the header of such a table."""

_ONE_ALONE = frozenset(("energy", "mu", "norm", "flat"))
"""Roles that a file has one column for; of several that are named so, none is taken before the user says which."""

_OF_TWO = frozenset(("energy", "angle", "mu", "norm"))
_MU = str.maketrans({"µ": "mu", "μ": "mu"})  # the sign of micro and the Greek letter

_SAID = {"energy": "the energy", "mu": "µ", "norm": "the normalised spectrum"}

_NEEDS: Mapping[Mode, tuple[tuple[str, ...], ...]] = {
    "mu": (("mu",),),
    "transmission": (("mutrans",), ("i0", "it")),
    "fluorescence": (("mufluor",), ("i0", "if")),
    "reference": (("murefer",), ("it", "ir")),
    "normalised": (("norm",), ("flat",)),
}

_EXAMPLE = "--columns energy=1,i0=2,it=3 (or mu=, if=, norm=)"

_LEAST_BEAM, _AROUND = 0.1, 51  # of the median of so many points: less is a lost beam or a refill
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
    lost: int  # points without µ that `remarks` account for
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
    roles = _stated(table, name, columns) if columns else _named(table, name)
    guessed: tuple[str, ...] = ()
    if not columns and table.values.shape[1] == 2 and set(roles) <= _OF_TWO and len(roles) < 2:
        roles, guessed = _of_two(table, roles, "norm" if mode == "normalised" else "mu")
    x_role = "energy" if "energy" in roles else "angle"
    if x_role not in roles:
        raise XanesflowError(
            f"{name} does not say which of its columns is what ({_described(table)}); say it with {_EXAMPLE}."
        )
    if mode is None and not columns and table.labels == OWN_TABLE:
        mode = "normalised"
    mode = mode or _only_mode(roles, table, name)
    needed = next((each for each in _NEEDS[mode] if all(role in roles for role in each)), None)
    if needed is None:
        raise XanesflowError(
            f"{name} has no columns for {mode} that are named so ({_described(table)}); say which with {_EXAMPLE}."
        )
    if "if" in needed and not columns:
        _check_channels(table, name, roles)
    parts = {role: table.values[:, list(roles[role])].sum(axis=1) for role in needed}
    mu, lost, remarks = _made(mode, needed, parts, name)
    position = roles[x_role][0]
    flat = table.values[:, roles["flat"][0]] if mode == "normalised" and "flat" in roles else None
    used = {role: "+".join(_called(table, n) for n in roles[role]) for role in (x_role, *needed)}
    unit = table.units[position] if table.units else ""
    if not unit and table.labels and table.labels[position].lower().endswith("ev"):
        unit = "keV" if table.labels[position].lower().endswith("kev") else "eV"
    return Signal(table.values[:, position], x_role == "angle", unit, mu, mode, flat, used, lost, guessed + remarks)


def _of_two(
    table: ColumnTable, roles: dict[str, tuple[int, ...]], signal: str
) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """Roles of two columns of which at most one is named, and a remark if the other has a name that is not known."""
    known = {role: where[0] for role, where in roles.items()} or {"energy": 0}
    (role, position), *_ = known.items()
    other = signal if role in ("energy", "angle") else "energy"
    taken = {role: position, other: 1 - position}
    strange = [each for each in taken if each not in roles and table.labels]
    said = [f"column {taken[each] + 1} ({_called(table, taken[each])}) is taken as {_SAID[each]}" for each in strange]
    remarks = (
        (f"{' and '.join(said)}, as the file has two; if that is wrong, say which with --columns",) if said else ()
    )
    return {each: (where,) for each, where in taken.items()}, remarks


def _named(table: ColumnTable, name: str) -> dict[str, tuple[int, ...]]:
    """Columns by role, from their names; of counts the more specific name wins (`itrans` before `i1`)."""
    plain = [_plain(label) for label in table.labels]
    found: dict[str, tuple[int, ...]] = {}
    for role, names in ROLES.items():
        positions = [n for each in names for n, label in enumerate(plain) if label == each]
        rivals = [n for n in positions if role in _ONE_ALONE or plain[n] == plain[positions[0]]]
        if len(rivals) > 1:
            raise XanesflowError(
                f"{name}: {' and '.join(f'column {n + 1} ({_called(table, n)})' for n in rivals[:4])} may all be the "
                f"{role}; say which with {_EXAMPLE}."
            )
        if positions:
            found[role] = (positions[0],)
    return found


def _check_channels(table: ColumnTable, name: str, roles: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse fluorescence of several channels, as `ifluor` and `ifluor_2`, of which one alone is named plainly."""
    known = re.compile(f"({'|'.join(ROLES['if'])})\\d*")
    channels = [n + 1 for n, label in enumerate(table.labels) if known.fullmatch(_plain(label))]
    if len(channels) > 1:
        energy, i0 = (roles[role][0] + 1 for role in ("energy" if "energy" in roles else "angle", "i0"))
        shown = ", ".join(_called(table, n - 1) for n in channels[:4]) + (", …" if len(channels) > 4 else "")
        raise XanesflowError(
            f"{name} has {len(channels)} channels of fluorescence ({shown}); say which to take, or add them up, with "
            f"--columns energy={energy},i0={i0},if={'+'.join(map(str, channels))}."
        )


def _plain(label: str) -> str:
    return re.sub(r"[\W_]", "", label.lower().translate(_MU))


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
        if role in found:
            raise XanesflowError(f"--columns {on_one_line(columns)} names {role} twice; name each role once.")
        found[role] = tuple(_position(table, name, each.strip()) for each in where.split("+"))
        if role in ("energy", "angle", "flat") and len(found[role]) > 1:
            raise XanesflowError(f"--columns {on_one_line(columns)}: {role} is one column, not a sum; name one.")
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
) -> tuple[Floats, int, tuple[str, ...]]:
    """µ, how many points lack it for want of counts, and remarks."""
    if len(needed) == 1:
        return parts[needed[0]], 0, ()
    remarks = []
    usable = np.ones(len(parts[needed[0]]), bool)
    for role in needed:
        counts = parts[role]
        # Fluorescence needs no logarithm: no counts, or fewer than a background that was taken off, are data too.
        bad = (counts <= 0) & (role != "if")
        known = np.isfinite(counts)
        if not np.any(counts > 0) or np.mean(bad[known]) > _BAD_COUNTS:
            raise XanesflowError(
                f"{name}: {np.mean(counts[known] <= 0) if known.any() else 1:.0%} of the counts of {role} are not "
                "positive, so that no µ can be computed; check --columns."
            )
        if bad.any():
            remarks.append(f"{plural(int(bad.sum()), 'point')} left out, where counts of {role} are not positive")
        if role == "i0" and (dark := known & ~bad & (counts < _LEAST_BEAM * _around(counts))).any():
            remarks.append(
                f"{plural(int(dark.sum()), 'point')} left out, where counts of i0 fall below a tenth of those nearby"
            )
            bad |= dark
        if _saturated(counts):
            remarks.append(f"the counts of {role} stay at their maximum, as of a detector that saturates")
        usable &= ~bad
    upper, lower = (parts["if"], parts["i0"]) if mode == "fluorescence" else (parts[needed[0]], parts[needed[1]])
    ratio = np.divide(upper, lower, out=np.full(len(upper), np.nan), where=usable)
    return (ratio if mode == "fluorescence" else np.log(ratio)), int((~usable).sum()), tuple(remarks)


def _around(counts: Floats) -> Floats:
    """(n,) the median of the points around each."""
    from scipy.ndimage import median_filter

    known = np.where(np.isfinite(counts), counts, np.nanmedian(counts))
    found: Floats = median_filter(known, _AROUND, mode="nearest")
    return found


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
