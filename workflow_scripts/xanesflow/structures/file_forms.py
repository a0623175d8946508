"""Find out from a file's name how to read it; quick to import, because planning needs it too."""

from __future__ import annotations

import re
from pathlib import Path

FORMS = {
    ".cif": "cif", ".json": "json", ".vasp": "poscar", ".poscar": "poscar", ".mcif": "cif", ".xyz": "xyz",
    ".extxyz": "xyz",
}  # fmt: skip
"""Form of a file by its ending, in lower case."""

PACKED = (".gz", ".bz2", ".xz")
"""Endings of compressed files, in lower case."""


def without_packing(name: str) -> str:
    """A file's name without the ending of its compression: `a.cif` for `a.cif.gz`."""
    ending = Path(name).suffix
    return name[: -len(ending)] if ending.lower() in PACKED else name


def form_by_name(name: str) -> str | None:
    """`poscar`, `cif`, `json`, `xyz` or `vasprun`; None if the name does not say."""
    plain = without_packing(name)
    if re.fullmatch(r"vasprun([_.].*)?\.xml", plain, re.IGNORECASE | re.DOTALL):
        return "vasprun"
    return FORMS.get(Path(plain).suffix.lower())


def name_in(name: str) -> str | None:
    """The material's name in a file's name: `a` in `a.cif.gz`, `POSCAR_a` and `vasprun.a.xml`; None if it has none."""
    plain = without_packing(name)
    if match := re.fullmatch(r"(?:POSCAR|CONTCAR)[_.](.+)", plain, re.DOTALL):
        known = Path(plain).suffix.lower() in FORMS
        return Path(plain).stem if known else match[1]
    if match := re.fullmatch(r"vasprun[_.](.+)\.xml", plain, re.IGNORECASE | re.DOTALL):
        return match[1]
    if plain.lower() in FORMS:  # a file that is called `.cif`
        return name
    return Path(plain).stem if Path(plain).suffix.lower() in FORMS else None
