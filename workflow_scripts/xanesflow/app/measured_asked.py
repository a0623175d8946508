"""What the view Measured → answer is asked for. A browser may send anything, so the limits of its fields stand here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, FiniteFloat, TypeAdapter, ValidationError

from xanesflow.app.shared_page import Page
from xanesflow.config.result_paths import trained_interpreters
from xanesflow.core.energy_range import read_range
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural

MODES = {
    "": "as found", "transmission": "transmission", "fluorescence": "fluorescence", "reference": "reference",
    "mu": "µ", "normalised": "normalised",
}  # fmt: skip
UNITS = {"": "as found", "eV": "eV", "keV": "keV", "deg": "angles"}
DECIMALS = {"": "as found", "point": "point", "comma": "comma"}
SPACING = 0.1, 20.0
"""Spacing of a monochromator's planes, Å: from and to."""

LIBRARIES = ["examples", "minerals"]
MOST_STANDARDS = 4
OWN = ("structures", "standards")
"""Stores of files of the reader's own, besides the scans."""

NO_MODEL = (
    "There is no interpreter for {}: make one with `snakemake interpretation` in the campaign that this page shows "
    "(`xanesflow app --campaign DIR`). Until then, Match says what oxidation state the best candidates have."
)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def excluded(text: str) -> tuple[tuple[float, float], ...]:
    """The ranges to leave out, as the field has them.

    Raises:
        XanesflowError: one is none.
    """
    return tuple(read_range(each, "--exclude") for each in re.split(r"[,;\s]+", text.strip()))


def _one_of(names: Iterable[str]) -> tuple[Any, str]:
    """One of the names of a choice, and how that is said; the empty one stands for none of them."""
    known = [name for name in names if name]
    return Literal[tuple(known)], f"is one of {', '.join(known)}"


(_Mode, _modes), (_Unit, _units), (_Decimal, _decimals) = map(_one_of, (MODES, UNITS, DECIMALS))
_Ends = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]
_HOW: dict[str, tuple[Any, str]] = {
    "columns": (str, "Columns are a text, as energy=1,i0=2,it=3"),
    "mode": (_Mode, f"The signal {_modes}"),
    "energy_unit": (_Unit, f"The unit of the energies {_units}"),
    "d_spacing": (
        Annotated[float, Field(ge=SPACING[0], le=SPACING[1])],
        f"The spacing of the monochromator is a number from {SPACING[0]:g} to {SPACING[1]:g} Å",
    ),
    "decimal": (_Decimal, f"The decimal mark {_decimals}"),
    "exclude": (Annotated[str, AfterValidator(excluded)], "What is left out is a text, as 7135.2:7135.4"),
    "element": (str, "The absorber is a symbol, as Fe"),
    "edge": (str, "The edge is a text, as K or L3"),
    "groups": (list[str], "The groups are a list of names"),
    "e0": (FiniteFloat, "E0 is a number in eV"),
    "pre": (_Ends, "The range before the edge is two numbers in eV"),
    "post": (_Ends, "The range after the edge is two numbers in eV"),
    "order": (Annotated[int, Field(ge=0, le=2)], "The degree of the curve after the edge is 0, 1 or 2"),
}
"""How scans are read and normalised: by name, what a value can be, and how that is said."""


def checked_how(how: dict[str, Any]) -> dict[str, Any]:
    """How scans are read and normalised, if it can be used; what the page knows no field for is left out.

    Raises:
        XanesflowError: a value is none that its field takes.
    """
    for name, (kind, sentence) in _HOW.items():
        if name not in how:
            continue
        try:
            TypeAdapter(kind).validate_python(how[name], strict=True)
        except ValidationError:
            raise XanesflowError(f"{sentence}; write it so.") from None
    return {name: value for name, value in how.items() if name in _HOW}


def interpreters(page: Page) -> list[Path]:
    """The interpreters of the campaign that the page shows, the preferred first."""
    kinds = trained_interpreters(page.settings.campaign) if page.settings.campaign else []
    return [path.resolve() for paths in kinds for path in paths]


def wanted(page: Page, asked: str, form: dict[str, Any], own: dict[str, Any]) -> tuple[str, str, dict[str, Any], Any]:
    """Kind and title of a job, what it is given, and the files of the reader's own that it needs besides the scans.

    Args:
        page: the page.
        asked: the button: write, interpret, match, rank or mix.
        form: the fields.
        own: for each of `OWN` its files.

    Raises:
        XanesflowError: something is missing, or a field takes no such value.
    """
    if asked == "write":
        return "write_scans", "normalised", {}, ()
    if asked == "interpret":
        model = next((each for each in interpreters(page) if each.name == form["model"]), None)
        if model is None:
            raise XanesflowError(NO_MODEL.format("these scans"))
        return "interpret_scans", f"interpretation by {model.stem}", {"model": str(model)}, ()

    # Structures: libraries and files; no path that a browser sends.
    if asked == "match":
        libraries = [each for each in LIBRARIES if each in list(form["libraries"] or ())]
        number = len(own["structures"])
        if not libraries and not number:
            raise XanesflowError("Choose examples or minerals as candidates, or give structure files.")
        if form["max_atoms"] is not None and not _is_whole(form["max_atoms"]):
            raise XanesflowError("The largest cell is a whole number of atoms, 1 or more; write it so.")
        contains = str(form["contains"] or "").strip()
        given = {"libraries": libraries, "max_atoms": form["max_atoms"], "contains": contains}
        given["cache"] = page.settings.cache and str(page.settings.cache)
        title = " and ".join([*libraries, *[plural(number, "structure file")] * bool(number)])
        return "match_scans", f"match with {title}", given, ["structures"]

    # Standards: ranked one by one, or mixed.
    if not own["standards"]:
        raise XanesflowError("Give measured spectra of known samples first.")
    standards = f"{plural(len(own['standards']), 'file')} of standards"
    if asked == "rank":
        return "match_scans", f"match with {standards}", {"measured": True}, ["standards"]
    most = 3 if form["most"] is None else form["most"]
    if not _is_whole(most) or most > MOST_STANDARDS:
        raise XanesflowError(f"A combination has 1 to {MOST_STANDARDS} standards; write a whole number.")
    given = {"most": most, "sum_to_one": bool(form["sum"])}
    return "mix_scans", f"mixture of {standards}", given, ["standards"]
