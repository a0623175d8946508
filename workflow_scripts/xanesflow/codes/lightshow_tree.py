"""Lightshow's tree: where the files of a run lie, and whose they are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xanesflow.codes.registry import theories, theory_of
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import WHOLE_MATERIAL

_SYMBOL = re.compile(r"[A-Z][a-z]?")
_POSCAR = re.compile(r"(?P<root>(?:.*/)?(?P<material>[^/]+))/POSCAR")


@cache
def _runs_of(theory: str) -> re.Pattern[str]:
    """Matches the path of a site's run, or of a file in it."""
    return re.compile(
        rf"(?P<root>(?:.*/)?(?P<material>[^/]+))/{theory_of(theory).folder}/"
        r"(?P<folder>(?P<site>[0-9]{1,9})_(?P<element>[A-Z][a-z]?))(?:/(?P<file>.+))?"
    )


@cache
def _shared_runs_of(theory: str) -> re.Pattern[str] | None:
    """Matches the path of a step that the sites of a material share, or of a file in it; None if they share none."""
    record = theory_of(theory)
    if not record.shared_folder:
        return None
    return re.compile(
        r"(?P<root>(?:(?:.*/)?(?P<parent>[^/]+)/)?(?P<material>[^/]+))/"
        rf"{record.folder}/{record.shared_folder}(?:/(?P<file>.+))?"
    )


@cache
def _folders_of_codes() -> re.Pattern[str]:
    """Matches a path with a folder of a code in it."""
    folders = [f for each in theories() for f in (each.folder, each.shared_folder, *each.other_folders) if f]
    return re.compile(rf"(^|/)({'|'.join(map(re.escape, folders))})(/|$)")


def check_archive(path: str | Path, subset: str) -> None:
    """Check that an archive of finished runs is there; what is in it is seen when it is read.

    Raises:
        XanesflowError: it is not there; says where it was looked for.
    """
    if not Path(path).exists():
        raise XanesflowError(
            f"simulations.archive is {path}, which does not exist (looked from {Path.cwd()}); name the folder or "
            f"packed file with the finished runs of {subset}."
        )


def folder_state(path: str | Path) -> str:
    """What tells that a folder of runs has changed: number and newest change of its sub-folders and their files.

    Snakemake itself looks at the folder's own time alone, which a run that is added deep below leaves as it was.

    Returns:
        A short text; empty for a packed file, whose own time tells all.
    """
    if not Path(path).is_dir():
        return ""
    number, newest = 0, 0
    waiting = [os.fspath(path)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                number += 1
                newest = max(newest, entry.stat(follow_symlinks=False).st_mtime_ns)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return f"{number} entries, newest {newest}"


@dataclass(frozen=True)
class Place:
    """What a path in Lightshow's tree means.

    Attributes:
        root: folder of the material, as the archive names it.
        folder: folder of the run; for a POSCAR the material's.
        material_id: its last part.
        file: `POSCAR`, or one of a run's files that are read (`theory.Theory.files`); empty: the run's folder
            itself, or another file in it, which says no more than that the run is there.
        site_index: 0-based index of the absorber into POSCAR; None for a POSCAR, `WHOLE_MATERIAL` for a shared step.
        element: the absorber's element; for a POSCAR and a shared step the folder above the material, if that is an
            element's symbol.
    """

    root: str
    folder: str
    material_id: str
    file: str
    site_index: int | None
    element: str | None


def place_of(path: str, theory: str, *, shared: bool = False) -> Place | None:
    """Read a path such as `Cu/mp-390/FEFF-XANES/000_Cu/xmu.dat`; None if it has nothing to do with a run.

    Args:
        path: parts separated by `/`; of VASP also that of a file packed as `OUTCAR.gz`, whose place is that of OUTCAR.
        theory: level of theory; the runs of others are none.
        shared: whether a step that the sites of a material share, `Ti/mp-390/VASP/SCF`, counts as a run too.
    """
    record, step = theory_of(theory), _shared_runs_of(theory)
    if record.gzipped:
        path = path.removesuffix(".gz")
    if shared and step is not None and (match := step.fullmatch(path)):
        root, file, parent = match["root"], match["file"] or "", match["parent"] or ""
        return Place(
            root, f"{root}/{record.folder}/{record.shared_folder}", match["material"],
            file if file in record.files else "", WHOLE_MATERIAL, parent if _SYMBOL.fullmatch(parent) else None,
        )  # fmt: skip
    if match := _runs_of(theory).fullmatch(path):
        root, file = match["root"], match["file"] or ""
        folder = f"{root}/{record.folder}/{match['folder']}"
        return Place(
            root, folder, match["material"], file if file in record.files else "", int(match["site"]),
            match["element"],
        )  # fmt: skip
    if match := _POSCAR.fullmatch(path):
        # The codes' own folders hold POSCARs too, of supercells: only the one in the material's folder counts.
        if _folders_of_codes().search(match["root"]):
            return None
        parent = match["root"].split("/")[-2:-1]
        element = parent[0] if parent and _SYMBOL.fullmatch(parent[0]) else None
        return Place(match["root"], match["root"], match["material"], "POSCAR", None, element)
    return None


def run_folder(element: str, material_id: str, site_index: int, theory: str) -> str:
    """Folder of a run in a chunk's zip: `Cu/mp-390/FEFF-XANES/000_Cu`; of the shared step: `Cu/mp-390/VASP/SCF`."""
    record = theory_of(theory)
    step = record.shared_folder if site_index == WHOLE_MATERIAL else f"{site_index:03d}_{element}"
    return f"{element}/{material_id}/{record.folder}/{step}"


def poscar_path(element: str, material_id: str) -> str:
    """The material's structure file in a chunk's zip: `Cu/mp-390/POSCAR`."""
    return f"{element}/{material_id}/POSCAR"
