"""Reads the structures to predict spectra of: files, folders and pymatgen Structures, each with an id."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.core.errors import UnusableStructure, XanesflowError
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import SYMPREC_A, WHOLE_MATERIAL
from xanesflow.core.text import quoted
from xanesflow.structures.amcsd.find_mineral import find_mineral
from xanesflow.structures.disorder.represent import REFUSE, Disorder, describe_or_fill
from xanesflow.structures.examples import load_examples
from xanesflow.structures.folder import read_directory, refuse_names_of_cells
from xanesflow.structures.material import BadStructure, Material, describe
from xanesflow.structures.one_file import name_of, plain_name, read_structure_file
from xanesflow.structures.read_structure import read_structure

Given = str | Path | Structure
Structures = Given | Iterable[Given] | Mapping[str, Given]


def read_structures(
    given: Structures,
    *,
    symprec: float = SYMPREC_A,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    disorder: Disorder = REFUSE,
) -> tuple[list[Material], list[Rejected]]:
    """Read the structures to predict spectra of.

    Args:
        given: a structure file of any form that `structures.file_forms` knows, a folder of them (see
            `structures.folder`), the id of an example, a name that `find_mineral` knows, a pymatgen Structure, several
            of all these, or a mapping from ids to files and
            Structures. Without a mapping the id is the file's name without its ending; for a POSCAR the name of its
            folder; and for the k-th Structure `structure_k`, counted from 0.
        symprec: spglib's distance tolerance in Å.
        workers: processes that read the files of a folder.
        progress: called as `progress(read, of)` now and then while a folder is read.
        disorder: what becomes of disordered crystals; each cell that represents one is a material.

    Returns:
        The materials in the order of their ids, and what cannot be used, with the reasons.

    Raises:
        XanesflowError: a file or folder does not exist, a folder holds no structure, or nothing was given.
    """
    found: list[Material | BadStructure] = []
    for name, each in _named(given):
        if isinstance(each, Structure):
            found += _checked(name, each, symprec=symprec, disorder=disorder)
        elif Path(each).is_dir():
            found += read_directory(
                each,
                symprec=symprec,
                workers=workers,
                called="The folder of structures is {}",
                progress=progress,
                disorder=disorder,
            )
        elif not os.path.lexists(each):
            found += _by_name(name, str(each), symprec=symprec, disorder=disorder)
        else:
            found += _from_file(name, Path(each), symprec=symprec, disorder=disorder)
    if not found:
        raise XanesflowError(
            "No structure was given; name a POSCAR, CIF, JSON, xyz or vasprun.xml file, or a folder of them."
        )
    return _sorted_out(found)


def _named(given: Structures) -> Iterable[tuple[str, Given]]:
    """Each input with its id; an empty id means that the file's name gives it."""
    if isinstance(given, Mapping):
        for key in given:
            if plain_name(str(key)) != str(key):
                raise XanesflowError(
                    f"{quoted(str(key))} cannot name a structure; use letters, digits and _ . + -, as in mp-390."
                )
        return [(str(key), value) for key, value in given.items()]
    if isinstance(given, str | Path | Structure):
        given = [given]
    return [(f"structure_{k}" if isinstance(each, Structure) else "", each) for k, each in enumerate(given)]


def _checked(name: str, structure: Structure, *, symprec: float, disorder: Disorder) -> list[Material | BadStructure]:
    """Send a Structure made elsewhere through the same checks as a file."""
    try:
        text = json.dumps(structure.as_dict(verbosity=0), default=_plain)
        plain, note = read_structure(text.encode(), "json", partly_occupied=not disorder.refused)
    except UnusableStructure as error:
        return [BadStructure(name, f"the structure {error}", error.reason)]
    return describe_or_fill(name, plain, note, symprec=symprec, disorder=disorder)


def _plain(value: Any) -> Any:
    """Convert what JSON does not know, such as numpy numbers among the properties of sites."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _from_file(name: str, path: Path, *, symprec: float, disorder: Disorder) -> list[Material | BadStructure]:
    name = name or name_of(path)
    try:
        structure, note = read_structure_file(path, partly_occupied=not disorder.refused)
    except UnusableStructure as error:
        return [BadStructure(name, f"{path.name} {error}", error.reason)]
    note = f"{path.name}: {note}" if note else ""
    return describe_or_fill(name, structure, note, symprec=symprec, disorder=disorder)


def _by_name(name: str, given: str, *, symprec: float, disorder: Disorder) -> list[Material | BadStructure]:
    """An example or a mineral instead of a file."""
    example = next((example for example in load_examples() if example.id == given), None)
    if example is not None:
        return [describe(name or example.id, example.structure(), symprec=symprec)]
    mineral = find_mineral(given, partly_occupied=not disorder.refused)
    if mineral is None:
        raise XanesflowError(f"There is no structure file {given} (looked from {Path.cwd()}).")
    name = name or mineral.entry.id
    return describe_or_fill(name, mineral.structure, mineral.note, symprec=symprec, disorder=disorder)


def _sorted_out(found: list[Material | BadStructure]) -> tuple[list[Material], list[Rejected]]:
    """Separate materials from rejected ones, by id. If different structures share an id, none of them is used."""
    by_id: dict[str, list[Material | BadStructure]] = {}
    for each in refuse_names_of_cells(found):
        by_id.setdefault(each.material_id, []).append(each)
    materials: list[Material] = []
    rejected: list[Rejected] = []
    for name, group in sorted(by_id.items()):
        bad = [each for each in group if isinstance(each, BadStructure)]
        good = [each for each in group if isinstance(each, Material)]
        rejected += [Rejected(name, WHOLE_MATERIAL, each.reason, _sentence(each.detail)) for each in bad]
        if len({each.structure for each in good}) > 1:
            detail = f"{len(good)} different structures have the id {name}, so none of them is used; rename all but one"
            rejected.append(Rejected(name, WHOLE_MATERIAL, "duplicate_id", _sentence(detail)))
        elif good:
            materials.append(good[0])
    return materials, rejected


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."
