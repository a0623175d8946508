"""Find finished runs of FEFF and VASP in folders, and say of each whether it is good."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.codes.feff.read_run import read_folder, read_run
from xanesflow.codes.lightshow_tree import RUN_FILES, Place, place_of
from xanesflow.core.errors import BadRunError, UnusableStructure, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.structures.material import not_the_absorber
from xanesflow.structures.poscar import parse_poscar

_SIGNS = frozenset({*RUN_FILES, "log1.dat"})
"""A folder with one of these is a run of FEFF."""

_SIGNS_OF_VASP = frozenset({"INCAR", "OUTCAR", "OUTCAR.gz", "vasprun.xml", "vasprun.xml.gz"})
"""A folder of a site in Lightshow's tree with one of these is a core hole step of VASP."""

_OTHERS = frozenset({"FEFF8L-XANES"})  # runs of the embedded engine have the same names
_BATCH = 32  # runs that a process takes at once


@dataclass(frozen=True)
class Verdict:
    """What is thought of a run.

    Attributes:
        folder: of the run.
        reason: one of `xanesflow.core.reasons.REASONS`; empty if it is good.
        detail: one sentence on it.
    """

    folder: Path
    reason: str = ""
    detail: str = ""


def check_folders(folders: Sequence[Path], *, workers: int = 1) -> Iterator[Verdict]:
    """Judge all runs in folders, each as soon as it is read, sorted by their paths.

    A run in Lightshow's tree, beside the POSCAR of its material, must also be the K edge of the element and site that
    its folder names; any other of FEFF is only asked whether its own files agree. A core hole step of VASP is judged
    with the ground state beside it, so it must lie in that tree; whether its spectrum covers a grid is not asked.

    Args:
        folders: runs, or folders with runs anywhere below.
        workers: processes.

    Raises:
        XanesflowError: a folder is not there, cannot be listed or holds no run; names it.
    """
    runs = list(dict.fromkeys(run for folder in folders for run in _runs_in(folder)))
    batches = [runs[start : start + _BATCH] for start in range(0, len(runs), _BATCH)]
    for verdicts in map_in_processes(_check_all, batches, workers):
        yield from verdicts


def check_folder(folder: Path) -> Verdict:
    """Judge one run; see `check_folders`."""
    place = place_of(f"{folder.resolve().as_posix()}/xmu.dat")
    step = _core_hole_place(folder)
    try:
        if step is not None:
            _check_vasp(folder, step)
        elif place is None:
            read_run(read_folder(folder))
        else:
            structure, site_index = _structure(place), place.site_index or 0
            read_run(read_folder(folder), element=place.element, structure=structure, site_index=site_index)
    except BadRunError as error:
        return Verdict(folder, error.reason, error.detail)
    return Verdict(folder)


def _check_all(folders: list[Path]) -> list[Verdict]:
    return [check_folder(folder) for folder in folders]


def _core_hole_place(folder: Path) -> Place | None:
    place = place_of(f"{folder.resolve().as_posix()}/OUTCAR", "VASP")
    return place if place is not None and place.file and place.site_index is not None else None


def _check_vasp(folder: Path, place: Place) -> None:
    """Judge the core hole step of a site and the ground state of its material.

    Raises:
        BadRunError: one of them is not good.
    """
    from xanesflow.codes.vasp.read_run import read_core_hole, read_ground_state, step_files

    scf = folder.resolve().parent / "SCF"
    structure, site_index = _structure(place), place.site_index or 0
    ground_state = read_ground_state(step_files(scf) if scf.is_dir() else {})
    read_core_hole(
        step_files(folder), ground_state, element=place.element or "", structure=structure, site_index=site_index
    )


def _structure(place: Place) -> Structure | None:
    """The structure whose site a run is of; None if there is no POSCAR.

    Raises:
        BadRunError: no_structure or wrong_absorber.
    """
    path = Path(place.root, "POSCAR")
    if not path.is_file():
        return None
    try:
        structure = parse_poscar(path.read_text(encoding="ascii"))
    except (UnusableStructure, OSError, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, UnusableStructure) else "cannot be read"
        raise BadRunError("no_structure", f"POSCAR {said}") from None
    symbols = [site.specie.symbol for site in structure]
    if detail := not_the_absorber(symbols, place.site_index or 0, place.element or ""):
        raise BadRunError("wrong_absorber", detail)
    return structure


def _runs_in(folder: Path) -> list[Path]:
    """The runs in a folder, itself or below."""
    if not folder.exists():
        raise XanesflowError(f"{folder} does not exist (looked from {Path.cwd()}); name folders with runs.")
    if not folder.is_dir():
        raise XanesflowError(
            f"{folder} is no folder; name folders with runs (a packed archive is judged when it is imported, "
            "with simulations.source: archive)."
        )

    def stop(error: OSError) -> None:
        raise XanesflowError(f"{error.filename} cannot be listed ({error.strerror}), so its runs would be missed.")

    runs, seen = [], set()
    for name, below, files in os.walk(folder, onerror=stop, followlinks=True):
        real = os.path.realpath(name)
        if real in seen:  # a link that leads back
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(set(below) - _OTHERS)
        if _SIGNS.intersection(files) or (_SIGNS_OF_VASP.intersection(files) and _core_hole_place(Path(name))):
            runs.append(Path(name))
    if not runs:
        raise XanesflowError(
            f"{folder} holds no run: there is no {', '.join(RUN_FILES)} of FEFF in it nor below, and no "
            "VASP/<site>_<element>."
        )
    return runs
