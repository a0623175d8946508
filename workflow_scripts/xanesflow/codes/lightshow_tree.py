"""Lightshow's tree: where the files of a run lie, and whose they are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import WHOLE_MATERIAL

RUN_FILES = ("feff.inp", "feff.out", "xmu.dat")
"""Files of a run of FEFF or of the embedded engine that later stages and a reviewer need."""

FEFF_LOGS = ("log.dat", *(f"log{number}.dat" for number in range(1, 7)))
"""Logs that FEFF 9 and 10 write themselves, of rdinp, pot, xsph, fms and mkgtr, path, genfmt and ff2x; where they are
there, they are read too."""

VASP_FILES = ("INCAR", "KPOINTS", "POSCAR", "POTCAR.spec", "OSZICAR", "OUTCAR", "vasprun.xml")
"""Files of a step of VASP that later stages and a reviewer need."""

SPECTRUM_FILE = {"FEFF": "xmu.dat", "FEFF8L": "xmu.dat", "VASP": "OUTCAR"}
"""The file of a run that holds its spectrum."""

_FILES = {"FEFF": frozenset({*RUN_FILES, *FEFF_LOGS}), "FEFF8L": frozenset(RUN_FILES), "VASP": frozenset(VASP_FILES)}
_FOLDERS = {"FEFF": "FEFF-XANES", "FEFF8L": "FEFF8L-XANES", "VASP": "VASP"}  # below the material's, by theory
_SHARED = {"VASP": "SCF"}  # folder of the step that the sites of a material share, beside those of the sites
_GZIPPED = frozenset({"VASP"})  # levels of theory whose files are often packed one by one
_SHARED_RUNS = {
    theory: re.compile(
        rf"(?P<root>(?:(?:.*/)?(?P<parent>[^/]+)/)?(?P<material>[^/]+))/{_FOLDERS[theory]}/{step}(?:/(?P<file>.+))?"
    )
    for theory, step in _SHARED.items()
}
_RUNS = {
    theory: re.compile(
        rf"(?P<root>(?:.*/)?(?P<material>[^/]+))/{folder}/"
        r"(?P<folder>(?P<site>[0-9]{1,9})_(?P<element>[A-Z][a-z]?))(?:/(?P<file>.+))?"
    )
    for theory, folder in _FOLDERS.items()
}
_SYMBOL = re.compile(r"[A-Z][a-z]?")
_POSCAR = re.compile(r"(?P<root>(?:.*/)?(?P<material>[^/]+))/POSCAR")
_FOLDERS_OF_CODES = re.compile(
    r"(^|/)(VASP|SCF|OCEAN|EXCITING|XSPECTRA|FDMNES|FEFF8L-XANES|FEFF-XANES|FEFF-EXAFS)(/|$)"
)


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
        file: `POSCAR`, or one of a run's files that are read (`RUN_FILES`, `FEFF_LOGS`, `VASP_FILES`); empty: the run's
            folder itself, or another file in it, which tells no more than that the run is there.
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


def place_of(path: str, theory: str = "FEFF", *, shared: bool = False) -> Place | None:
    """Read a path such as `Cu/mp-390/FEFF-XANES/000_Cu/xmu.dat`; None if it has nothing to do with a run.

    Args:
        path: parts separated by `/`; of VASP also that of a file packed as `OUTCAR.gz`, whose place is that of OUTCAR.
        theory: level of theory; the runs of others are none.
        shared: whether a step that the sites of a material share, `Ti/mp-390/VASP/SCF`, counts as a run too.
    """
    if theory in _GZIPPED:
        path = path.removesuffix(".gz")
    if shared and theory in _SHARED and (match := _SHARED_RUNS[theory].fullmatch(path)):
        root, file, parent = match["root"], match["file"] or "", match["parent"] or ""
        return Place(
            root, f"{root}/{_FOLDERS[theory]}/{_SHARED[theory]}", match["material"],
            file if file in _FILES[theory] else "", WHOLE_MATERIAL, parent if _SYMBOL.fullmatch(parent) else None,
        )  # fmt: skip
    if match := _RUNS[theory].fullmatch(path):
        root, file = match["root"], match["file"] or ""
        folder = f"{root}/{_FOLDERS[theory]}/{match['folder']}"
        return Place(
            root, folder, match["material"], file if file in _FILES[theory] else "", int(match["site"]),
            match["element"],
        )  # fmt: skip
    if match := _POSCAR.fullmatch(path):
        # The codes' own folders hold POSCARs too, of supercells: only the one in the material's folder counts.
        if _FOLDERS_OF_CODES.search(match["root"]):
            return None
        parent = match["root"].split("/")[-2:-1]
        element = parent[0] if parent and _SYMBOL.fullmatch(parent[0]) else None
        return Place(match["root"], match["root"], match["material"], "POSCAR", None, element)
    return None


def run_folder(element: str, material_id: str, site_index: int, theory: str = "FEFF") -> str:
    """Folder of a run in a chunk's zip: `Cu/mp-390/FEFF-XANES/000_Cu`; of the shared step: `Cu/mp-390/VASP/SCF`."""
    if site_index == WHOLE_MATERIAL:
        return f"{element}/{material_id}/{_FOLDERS[theory]}/{_SHARED[theory]}"
    return f"{element}/{material_id}/{_FOLDERS[theory]}/{site_index:03d}_{element}"


def runs_folder(theory: str) -> str:
    """Folder of the runs of a level of theory below the material's: `FEFF-XANES`."""
    return _FOLDERS[theory]


def poscar_path(element: str, material_id: str) -> str:
    """The material's structure file in a chunk's zip: `Cu/mp-390/POSCAR`."""
    return f"{element}/{material_id}/POSCAR"
