"""Lightshow's tree: where the files of a run are, and which run they belong to."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xanesflow.codes.registry import theories, theory_of
from xanesflow.codes.run_description import is_file_of
from xanesflow.codes.theory import Theory
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import WHOLE_MATERIAL

_SYMBOL = re.compile(r"[A-Z][a-z]?")
_POSCAR = re.compile(r"(?P<root>(?:.*/)?(?P<material>[^/]+))/POSCAR")


@cache
def _runs_of(theory: str) -> re.Pattern[str]:
    """Match the path of a site's run, or of a file in it."""
    return re.compile(
        rf"\A(?P<root>(?:.*/)?(?P<material>[^/]+))/{theory_of(theory).folder}/"
        r"(?P<folder>(?P<site>[0-9]{1,9})_(?P<element>[A-Z][a-z]?))(?:/(?P<file>.+))?"
    )


@cache
def _shared_runs_of(theory: str) -> re.Pattern[str] | None:
    """Match the path of a step that the sites of a material share, or of a file in it; None if they share none."""
    record = theory_of(theory)
    if not record.shared_folder:
        return None
    step = {"{element}": "/(?P<element>[A-Z][a-z]?)", ".": ""}.get(record.shared_folder, f"/{record.shared_folder}")
    return re.compile(
        rf"\A(?P<root>(?:(?:.*/)?(?P<parent>[^/]+)/)?(?P<material>[^/]+))/{record.folder}{step}(?:/(?P<file>.+))?"
    )


@cache
def _folders_of_runs() -> re.Pattern[str]:
    """Match a path at or below the folder of a material's run; folders above the tree may have the name of a code."""
    codes = "|".join(re.escape(f) for each in theories() for f in (each.folder, *each.other_folders))
    shared = [re.escape(each.shared_folder) for each in theories() if each.shared_folder.isalpha()]
    runs = "|".join([*shared, "[0-9]+_[A-Z][a-z]?"])
    return re.compile(
        rf"""(?:^|/)(?:
        [A-Z][a-z]?/[^/]+/(?:{codes})(?:/|$)  # <element>/<material>/<code>
        | (?:{codes})/(?:{runs})(?:/|$)       # <code>/<run>
        | (?:{codes})(?:/[A-Z][a-z]?)?$       # <code>, or OCEAN's <code>/<element>
        )""",
        re.VERBOSE,
    )


def check_archive(path: str | Path, subset: str) -> None:
    """Check that an archive of finished runs exists. Its content is checked when it is read.

    Raises:
        XanesflowError: it does not exist; says where it was looked for.
    """
    if not Path(path).exists():
        raise XanesflowError(
            f"simulations.archive is {path}, which does not exist (looked from {Path.cwd()}); name the folder or "
            f"packed file with the finished runs of {subset}."
        )


def folder_state(path: str | Path) -> str:
    """Describe the state of a folder of runs: names, sizes and times of all files in it, also behind links.

    Snakemake itself looks only at the time of the folder, which does not change when you add a run deep inside.

    Returns:
        A short text that changes with the folder; empty for a packed file, whose own time is enough.
    """
    if not Path(path).is_dir():
        return ""
    root = os.fspath(path)
    number, digest = 0, hashlib.sha256()
    waiting, seen = [root], set()
    while waiting:
        try:
            with os.scandir(waiting.pop()) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError:  # the import says which folder it is
            continue
        for entry in entries:
            number += 1
            try:
                status = entry.stat()
            except OSError as error:  # such as a link that leads nowhere
                said = str(error.strerror)
            else:
                said = f"{status.st_size} {status.st_mtime_ns}"
                if stat.S_ISDIR(status.st_mode):
                    said = "folder"
                    if (real := (status.st_dev, status.st_ino)) not in seen:  # links may lead to each other
                        seen.add(real)
                        waiting.append(entry.path)
            digest.update(f"{entry.path[len(root) :]} {said}\n".encode(errors="surrogateescape"))
    return f"{number} entries, {digest.hexdigest()[:16]}"


@dataclass(frozen=True)
class Place:
    """The meaning of a path in Lightshow's tree.

    Attributes:
        root: folder of the material, as the archive names it.
        folder: folder of the run; for a POSCAR the material's.
        material_id: last part of `root`.
        file: `POSCAR`, or one of a run's files that are read (`theory.Theory.files`); empty: the run's folder
            itself, or another file in it, which shows only that the run exists.
        site_index: 0-based index of the absorber into POSCAR; None for a POSCAR, `WHOLE_MATERIAL` for a shared step.
        element: the absorber's element; for a POSCAR and a shared step the folder above the material, if that is the
            symbol of an element.
    """

    root: str
    folder: str
    material_id: str
    file: str
    site_index: int | None
    element: str | None


def place_of(path: str, theory: str, *, shared: bool = False) -> Place | None:
    """Read a path such as `Cu/mp-390/FEFF-XANES/000_Cu/xmu.dat`; None if it does not belong to a run.

    Args:
        path: parts separated by `/`. For VASP, a file packed as `OUTCAR.gz` counts as OUTCAR.
        theory: level of theory; runs of other theories do not count.
        shared: whether a step that the sites of a material share, `Ti/mp-390/VASP/SCF`, counts as a run too.
    """
    record, step = theory_of(theory), _shared_runs_of(theory)
    if record.gzipped:
        path = path.removesuffix(".gz")
    # The folders of runs hold POSCARs of supercells too. Only the POSCAR in the material's folder counts.
    if (match := _POSCAR.fullmatch(path)) and not _folders_of_runs().search(match["root"]):
        parent = match["root"].split("/")[-2:-1]
        element = parent[0] if parent and _SYMBOL.fullmatch(parent[0]) else None
        return Place(match["root"], match["root"], match["material"], "POSCAR", None, element)
    if shared and step is not None and (match := step.fullmatch(path)):
        root, file, parent = match["root"], match["file"] or "", match["parent"] or ""
        element = match.groupdict().get("element") or (parent if _SYMBOL.fullmatch(parent) else None)
        folder = _shared_folder(root, record, element or "")
        return Place(
            root, folder, match["material"], file if is_file_of(file, record.files) else "", WHOLE_MATERIAL, element
        )
    if match := _runs_of(theory).fullmatch(path):
        root, file = match["root"], match["file"] or ""
        folder = f"{root}/{record.folder}/{match['folder']}"
        return Place(
            root, folder, match["material"], file if is_file_of(file, record.files) else "", int(match["site"]),
            match["element"],
        )  # fmt: skip
    return None


def run_folder(element: str, material_id: str, site_index: int, theory: str) -> str:
    """Name the folder of a run in a chunk's zip, `Cu/mp-390/FEFF-XANES/000_Cu` or, if shared, `Cu/mp-390/VASP/SCF`."""
    record = theory_of(theory)
    if site_index == WHOLE_MATERIAL:
        return _shared_folder(f"{element}/{material_id}", record, element)
    return f"{element}/{material_id}/{record.folder}/{site_index:03d}_{element}"


def _shared_folder(root: str, record: Theory, element: str) -> str:
    """Name the folder of the step that a material's sites share, or of the one run that holds them all."""
    step = "" if record.shared_folder == "." else f"/{record.shared_folder.replace('{element}', element)}"
    return f"{root}/{record.folder}{step}"


def poscar_path(element: str, material_id: str) -> str:
    """Name the material's structure file in a chunk's zip: `Cu/mp-390/POSCAR`."""
    return f"{element}/{material_id}/POSCAR"
