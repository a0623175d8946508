"""Structure files as users have them, and what a folder of them is read as."""

import json
from pathlib import Path

from cif_files import NAME, a_cif
from feff_runs import poscar, rocksalt, rutile
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter

from xanesflow.core.reasons import REASONS
from xanesflow.structures.folder import read_directory
from xanesflow.structures.material import BadStructure, Material

GOOD = poscar(rocksalt())
XYZ = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
CUBE = "4 0 0,0 4 0,0 0 4"


def cif(*rows: str, columns=("_atom_site_label", *XYZ), a="4.0", group="P 1", extra="") -> str:
    names = " ".join(columns).replace("_atom_site_", "")
    return a_cif(f"{NAME} '{group}'\n{extra}", rows, a=a, columns=names)


def with_symmetry(structure: Structure) -> str:
    """As CIFs are distributed: the inequivalent atoms and the symmetry operations."""
    return str(CifWriter(structure, symprec=0.01))


def as_json(structure: Structure, **changed) -> str:
    return json.dumps({**structure.as_dict(), **changed})


def with_site(**changed) -> str:
    """Rutile as JSON, something of its first atom changed."""
    content = json.loads(as_json(rutile()))
    content["sites"][0] |= changed
    return json.dumps(content)


def cell(text: str, *atoms: str, elements="Cu") -> str:
    return "\n".join(["x", "1.0", *text.split(","), elements, str(len(atoms)), "direct", *atoms, ""])


def read(folder: Path, **options) -> dict[str, Material | BadStructure]:
    found = read_directory(folder, symprec=0.01, **options)
    ids = [each.material_id for each in found]
    assert ids == sorted(set(ids))
    return {each.material_id: each for each in found}


def good_and_bad(found: dict[str, Material | BadStructure]) -> tuple[list[str], dict[str, str]]:
    good = [key for key, each in found.items() if isinstance(each, Material)]
    return good, {key: each.reason for key, each in found.items() if isinstance(each, BadStructure)}


def formulas(found: dict[str, Material | BadStructure]) -> dict[str, str]:
    return {key: each.formula for key, each in found.items()}


def assert_one_sentence(bad: BadStructure) -> None:
    assert bad.reason in REASONS
    assert bad.detail.isprintable() and 10 < len(bad.detail) < 400 and not bad.detail.endswith(".")
