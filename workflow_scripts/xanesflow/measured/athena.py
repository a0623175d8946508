"""Athena projects (.prj): groups with µ, energy shift and normalisation.

A project is a list of assignments in Perl, or JSON. Larch passes each line to an interpreter, does not apply
`bkg_eshift`, drops groups with the same label, and takes Athena's `nnorm` (a number of coefficients) as a degree. This
module splits the few forms that occur into words, and executes nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.text import plural
from xanesflow.measured.foreign_file import on_one_line
from xanesflow.measured.measured_spectrum import Stored

_MARK = "Athena project file"

_STATEMENT = re.compile(r"^[$@%](\w+)\s*=\s*(.*)", re.DOTALL)
_WORD = re.compile(
    r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([\[{(])|([\]})])|=>|,|([^\s,'\"\[\](){};]+)|(['\"])", re.DOTALL
)


@dataclass(frozen=True, eq=False)
class Group:
    """A group of a project."""

    key: str  # Athena's own name, five letters
    label: str  # what the user calls it
    x: Floats  # (n,) energies, not shifted
    y: Floats  # (n,) µ
    values: Mapping[str, Any]  # the stored parameters by name
    degree: bool  # whether the stored order is a degree (Larch) rather than a number of coefficients (Athena)

    def number(self, name: str) -> float | None:
        """A stored number; None if it is missing or not a number."""
        try:
            found = float(self.values.get(name) or "nan")
        except (TypeError, ValueError):
            return None
        return found if math.isfinite(found) else None

    def on(self, name: str) -> bool:
        """Whether a stored switch is on."""
        return bool(self.number(name))

    @property
    def shift_ev(self) -> float:
        """Shift in eV, to be added to the energies."""
        return self.number("bkg_eshift") or 0.0

    def stored(self) -> Stored | None:
        """The stored normalisation, or None without an edge."""
        e0 = self.number("bkg_e0")
        if e0 is None or e0 <= 0:
            return None
        pre = [self.number(f"bkg_pre{end}") for end in (1, 2)]
        post = [self.number(f"bkg_nor{end}") for end in (1, 2)]
        order = self.number("bkg_nnorm")
        degree = None if order is None else int(np.clip(order - (0 if self.degree else 1), 0, 2))
        step = self.number("bkg_step") if self.on("bkg_fixstep") else None
        return Stored(e0, _range(e0, pre), _range(e0, post), degree, step if step and step > 0 else None)


def _range(e0: float, ends: Sequence[float | None]) -> tuple[float, float] | None:
    if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
        return None
    return e0 + min(ends[0], ends[1]), e0 + max(ends[0], ends[1])


def is_project(text: str) -> bool:
    """Whether a text is an Athena project."""
    return _MARK in text[:500]


def read_project(text: str, name: str) -> list[Group]:
    """All groups of a project that hold data.

    Raises:
        XanesflowError: it is damaged, of a version that is not known, or empty.
    """
    try:
        raw = _from_json(text) if text.lstrip().startswith("{") else list(_from_perl(text))
        degree = "Using Larch version" in text[:2000]
        groups = [_group(key, args, x, y, degree=degree) for key, args, x, y in raw if len(x)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise XanesflowError(
            f"{name} is an Athena project that is damaged or of a version that is not known; "
            "export the group from Athena as columns instead."
        ) from None
    if not groups:
        raise XanesflowError(f"{name} is an Athena project without a group; save it again from Athena.")
    return groups


def choose_groups(groups: Sequence[Group], wanted: Sequence[str], name: str) -> list[Group]:
    """Choose groups by label or key; if none is named, take the only group.

    Raises:
        XanesflowError: none or several fit.
    """
    listed = ", ".join(f"'{group.label}'" for group in groups[:12]) + (", …" if len(groups) > 12 else "")
    if not wanted:
        if len(groups) == 1:
            return list(groups)
        raise XanesflowError(f"{name} has {plural(len(groups), 'group')}: {listed}; say which with --group LABEL.")
    chosen = []
    for label in wanted:
        fits = [g for g in groups if g.label == label] or [g for g in groups if g.label.lower() == label.lower()]
        fits = fits or [g for g in groups if g.key == label]
        if not fits:
            raise XanesflowError(
                f"{name} has no group '{on_one_line(label)}', but {listed}; say which with --group LABEL."
            )
        if len(fits) > 1:
            keys = ", ".join(group.key for group in fits)
            raise XanesflowError(
                f"{name} has {len(fits)} groups called '{on_one_line(label)}'; name the key in --group: {keys}."
            )
        chosen.append(fits[0])
    return chosen


def _group(key: str, args: Mapping[str, Any], x: Floats, y: Floats, *, degree: bool) -> Group:
    if len(x) != len(y):
        raise ValueError("columns of different length")
    label = on_one_line(str(args.get("label") or key))
    return Group(on_one_line(key, 40), label, x, y, args, degree)


def _from_json(text: str) -> Iterator[tuple[str, dict[str, Any], Floats, Floats]]:
    project = parse_object(text)
    for key, group in project.items():
        if not key.startswith("_____") and isinstance(group, dict) and "x" in group:
            args = group.get("args", {})
            if isinstance(args, list):
                args = dict(zip(args[::2], args[1::2], strict=False))
            yield key, args, np.array(group["x"], float).ravel(), np.array(group["y"], float).ravel()


def _from_perl(text: str) -> Iterator[tuple[str, dict[str, Any], Floats, Floats]]:
    key, args, arrays = "", dict[str, Any](), dict[str, Floats]()
    for statement in _statements(text):
        if statement.startswith("[record]"):
            if "x" in arrays:
                yield key, args, arrays["x"], arrays["y"]
            key, args, arrays = "", {}, {}
            continue
        match = _STATEMENT.match(statement)
        if match is None:
            continue
        if match[1] in ("x", "y"):
            arrays[match[1]] = np.array(re.sub(r"[()';\"\s]", "", match[2]).strip(",").split(","), float)
        elif match[1] == "old_group":
            key = str(next(iter(_words(match[2])), ""))
        elif match[1] == "args":
            words = _words(match[2])
            args = {str(name): value for name, value in zip(words[::2], words[1::2], strict=False)}


def _statements(text: str) -> Iterator[str]:
    """Assignments, each of one or several lines, and the marks between groups."""
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.startswith(("$", "@", "[record]")):
            continue
        parts = [line]
        while not line.startswith("[record]") and not parts[-1].rstrip().endswith(";"):
            following = next(lines, None)
            if following is None or following.startswith("[record]"):
                raise ValueError("statement without an end")
            parts.append(following)
        yield "\n".join(parts)


def _words(text: str) -> list[Any]:
    """The outermost words of a Perl list; a nested list counts as one word, None."""
    words: list[Any] = []
    depth = 0
    for match in _WORD.finditer(text):
        single, double, opens, closes, bare, unclosed = match.groups()
        if unclosed:
            raise ValueError("text without an end")
        if opens:
            depth += 1
            if depth == 2 or (depth == 1 and opens != "("):
                words.append(None)
        elif closes:
            depth -= 1
        elif depth <= 1 and (single is not None or double is not None or bare is not None):
            quoted = single if single is not None else double
            words.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else None if bare == "undef" else bare)
    return words
