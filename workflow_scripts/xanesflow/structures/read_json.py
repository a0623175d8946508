"""Structures as JSON: pymatgen's Structure, alone or in a document of Materials Project."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymatgen.core import Element, Lattice, Structure

from xanesflow.core import limits
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadTextError, UnusableStructure
from xanesflow.core.foreign_json import parse_json
from xanesflow.core.text import one_line
from xanesflow.structures.check_structure import Claims, check_numbers, checked


def read_json(text: str, *, partly_occupied: bool = False) -> tuple[Structure, str]:
    """Read a pymatgen Structure, or a document that has one below `structure`.

    Sites may be partly occupied only if `partly_occupied`. Only the needed numbers and names are taken, because
    pymatgen's own reader calls whatever a file names.

    Returns:
        The structure, and a remark for the user, with the id and version of a document.

    Raises:
        UnusableStructure: it is neither, or the document contradicts its structure.
    """
    try:
        content = parse_json(text)
    except BadTextError as error:
        raise UnusableStructure(one_line(error)) from error
    content = _the_document(content)
    if not isinstance(content, dict):
        raise UnusableStructure(f"holds a {_json_name(content)}, not a pymatgen Structure or a document with one")
    kind = content.get("@class")
    if kind is None and "material_id" in content and not isinstance(content.get("structure"), dict):
        raise UnusableStructure(
            "is a document without a structure; ask Materials Project for its field `structure` too"
        )
    if kind != "Structure" and isinstance(content.get("structure"), dict):
        structure, note = checked(_build(content["structure"]), _claims(content), partly_occupied=partly_occupied)
        return structure, "; ".join(filter(None, (_document_name(content), note)))
    if kind is None and {"lattice", "sites"} <= content.keys():
        kind = "Structure"
    if kind != "Structure":
        found = f"a {one_line(ValueError(kind), 60)}" if kind else "an object without @class"
        raise UnusableStructure(
            f"holds {found}, not a pymatgen Structure; save Structure.to(filename=...) or a document with `structure`"
        )
    return checked(_build(content), partly_occupied=partly_occupied)


def _the_document(content: Any) -> Any:
    """Unwrap a server's answer that holds one document: `{"data": [...]}` or `[...]`."""
    if isinstance(content, dict) and "@class" not in content and isinstance(content.get("data"), list):
        content = content["data"]
    if isinstance(content, list) and content and all(isinstance(each, dict) for each in content):
        if len(content) > 1:
            raise UnusableStructure(f"holds {len(content)} documents; write each to a file of its own")
        return content[0]
    return content


def _json_name(content: Any) -> str:
    return "list" if isinstance(content, list) else "text" if isinstance(content, str) else "number"


def _build(content: dict[str, Any]) -> Structure:
    sites = content.get("sites")
    if isinstance(sites, list) and len(sites) > limits.ATOMS:
        raise UnusableStructure(f"has {len(sites):,} atoms, and the limit is {limits.ATOMS:,}")
    try:
        matrix = np.array(content["lattice"]["matrix"], dtype=float).reshape(3, 3)
        species = [_shares(site["species"]) for site in content["sites"]]
        fractions = np.array([site["abc"] for site in content["sites"]], dtype=float).reshape(-1, 3)
    except UnusableStructure:
        raise
    except Exception as error:
        raise UnusableStructure(f"is not what Structure.as_dict writes ({what_is_wrong(error)})") from error
    check_numbers(matrix, fractions)
    return Structure(Lattice(matrix), species, fractions)


def _shares(parts: list[dict[str, Any]]) -> dict[Element, float]:
    """The occupancy of a place by element; Fe2+ and Fe3+ are one."""
    shares: dict[Element, float] = {}
    for part in parts:
        element = _element(part)
        shares[element] = shares.get(element, 0.0) + float(part["occu"])
    # A sum such as 0.1 + 0.2 + 0.7 may miss 1 by its last bit.
    return {element: 1.0 if abs(share - 1) < 1e-8 else share for element, share in shares.items()}


def _element(part: dict[str, Any]) -> Element:
    symbol = part["element"]
    if not isinstance(symbol, str) or not Element.is_valid_symbol(symbol):
        raise UnusableStructure(f"holds {one_line(ValueError(symbol), 20)}, which is no element")
    return Element(symbol)


def _claims(document: dict[str, Any]) -> Claims:
    """What a document states about its structure."""
    formula, atoms = document.get("formula_pretty"), document.get("nsites")
    return Claims(
        # A formula with brackets is not a sum formula and is ignored.
        formula=formula if isinstance(formula, str) and formula.isalnum() else None,
        density=_number(document.get("density")),
        volume=_number(document.get("volume")),
        atoms=atoms if isinstance(atoms, int) else None,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e9 else None


def _document_name(document: dict[str, Any]) -> str:
    """`mp-19009 of Materials Project, database 2023.11.1, as of 2023-11-01`, as far as the document gives them."""
    name = document.get("material_id")
    if isinstance(name, dict):  # as MongoDB writes it
        name = name.get("string")
    if not isinstance(name, str):
        return ""
    builder = document.get("builder_meta")
    version = document.get("database_version") or (
        builder.get("database_version") or builder.get("build_date") if isinstance(builder, dict) else None
    )
    changed = document.get("last_updated")
    if isinstance(changed, dict):
        changed = changed.get("$date")
    parts = [f"{name[:30]} of Materials Project"]
    parts += [f"database {str(version)[:30]}"] if version else []
    parts += [f"as of {str(changed)[:30]}"] if changed else []
    text = ", ".join(parts)
    return text if text.isprintable() else ""
