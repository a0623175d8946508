"""Read a folder of a user's own structure files: the materials by id, and the files that cannot be used."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from itertools import groupby
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.sites import parent_of
from xanesflow.core.text import first_few
from xanesflow.structures.disorder.represent import REFUSE, Disorder, describe_or_fill
from xanesflow.structures.list_files import StructureFile, describe_listing, list_structures
from xanesflow.structures.material import BadStructure, Material
from xanesflow.structures.one_file import content_of
from xanesflow.structures.read_structure import read_structure
from xanesflow.structures.same_crystal import same_crystal, same_structure

log = logging.getLogger(__name__)

Described = list[Material | BadStructure]
"""What a file holds: a material, the cells that represent it, or why it cannot be used."""


def read_directory(
    path: str | Path,
    *,
    symprec: float,
    workers: int = 1,
    called: str = "structures.directory is {}",
    progress: Callable[[int, int], None] | None = None,
    disorder: Disorder = REFUSE,
) -> list[Material | BadStructure]:
    """Read the structure files of a folder and of the folders in it.

    A file `<id>.cif`, `<id>.mcif`, `<id>.json` (pymatgen's Structure or a Materials Project document), `<id>.vasp`,
    `<id>.poscar`, `<id>.xyz`, `<id>.extxyz`, `vasprun.<id>.xml`, `POSCAR_<id>` or `POSCAR.<id>` (or CONTCAR) is the
    material `<id>`. So is a folder `<id>` with a POSCAR, else a CONTCAR, else a single POSCAR, CIF or JSON file with
    such an ending, else a single xyz file or vasprun.xml. Each may be compressed (`.gz`, `.bz2`, `.xz`). The log
    counts deeper folders and other files.

    Args:
        path: the folder.
        symprec: spglib's distance tolerance in Å.
        workers: processes that read files; their number does not change what is returned.
        called: how a message names the folder; `{}` stands for its path.
        progress: called as `progress(read, of)` now and then.
        disorder: what becomes of disordered crystals; each cell that represents one is a material.

    Returns:
        The materials and what cannot be used, in the order of their ids. If several files have one id, none of
        them is used, unless they hold the same structure.

    Raises:
        XanesflowError: there is no such folder, it cannot be listed, or it holds no structure file.
    """
    path = Path(path)
    listing = list_structures(path, called)
    read: list[Described] = []
    for described in map_in_processes(partial(_read_file, symprec=symprec, disorder=disorder), listing.files, workers):
        read.append(described)
        if progress is not None:
            progress(len(read), len(listing.files))
    unusable = {bad.material_id: bad for bad in listing.bad}
    found: list[Material | BadStructure] = []
    for material_id, group in groupby(zip(listing.files, read, strict=True), key=lambda pair: pair[0].material_id):
        found += _one_of(list(group), unusable.pop(material_id, None))
    found += unusable.values()
    log.info("%s: %s", path, describe_listing(listing))
    return refuse_names_of_cells(_each_id_once(found))


def refuse_names_of_cells(found: list[Material | BadStructure]) -> list[Material | BadStructure]:
    """Refuse a material with the name of a cell of another one, as whose cell it would count by its name."""
    names = {each.material_id for each in found if isinstance(each, Material)}
    return [
        BadStructure(
            each.material_id,
            f"{each.material_id} is the name of a cell that represents {each.parent}, which is a structure of its own; "
            "rename it",
            "duplicate_id",
        )
        if isinstance(each, Material) and each.parent in names
        else each
        for each in found
    ]


def _each_id_once(found: list[Material | BadStructure]) -> list[Material | BadStructure]:
    """Sort by id; a file may have the id of a cell that represents another one."""
    once: list[Material | BadStructure] = []
    for name, group in groupby(sorted(found, key=lambda each: each.material_id), key=lambda each: each.material_id):
        same = list(group)
        detail = f"a file and a cell that represents the disordered {parent_of(name)} are both called {name}; rename it"
        once.append(same[0] if len(same) == 1 else BadStructure(name, detail, "duplicate_id"))
    return once


def _read_file(file: StructureFile, *, symprec: float, disorder: Disorder) -> Described:
    try:
        structure, note = read_structure(content_of(file.path), file.form, partly_occupied=not disorder.refused)
    except UnusableStructure as error:
        return [BadStructure(file.material_id, f"{file.name} {error}", error.reason)]
    note = f"{file.name}: {note}" if note else ""
    return describe_or_fill(file.material_id, structure, note, symprec=symprec, disorder=disorder)


def _one_of(found: list[tuple[StructureFile, Described]], unusable: BadStructure | None) -> Described:
    """What one id stands for; several files, and a folder or link that cannot be used, may have the same id."""
    (first, described), *rest = found
    if unusable:
        detail = f"{first.name} has the id of another place in the folder: {unusable.detail}"
        return [BadStructure(first.material_id, detail, "duplicate_id")]
    if not rest:
        return described
    # Cells of two files are the same if the files are, so the first one of each decides.
    materials = [each for _, (each, *_) in found if isinstance(each, Material)]
    structures = [Structure.from_dict(json.loads(each.structure)) for each in materials]
    names = first_few([file.name for file, _ in found])
    if len(materials) == len(found) and all(same_structure(structures[0], other) for other in structures[1:]):
        log.info("%s: %s hold the same structure; the first one is used", first.material_id, names)
        return described
    if len(materials) < len(found):
        differ = "are not all readable"
    elif all(same_crystal(structures[0], other) for other in structures[1:]):
        differ = "hold one crystal with its atoms or its cell in another order, in which a site has another number"
    else:
        differ = "hold different structures"
    detail = f"{names} have one id and {differ}, so none of them is used; rename or remove all but one"
    return [BadStructure(first.material_id, detail, "duplicate_id")]
