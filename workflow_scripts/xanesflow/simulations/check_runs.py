"""Find finished runs in folders, and say of each whether it is good: of each level of theory that can judge one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.codes.lightshow_tree import Place, place_of
from xanesflow.codes.registry import load, theories
from xanesflow.codes.theory import Theory
from xanesflow.core.errors import BadRunError, UnusableStructure, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.structures.material import not_the_absorber
from xanesflow.structures.poscar import parse_poscar

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
    its folder names; elsewhere a run is only asked whether its own files agree (FEFF), or is not looked at (VASP, which
    is judged with the ground state that lies beside it in that tree). Whether a spectrum covers a grid is not asked.

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
    theory, place = _what_it_is(folder)
    check = load(theory.check_folder)
    try:
        if place is None:
            check(folder)
        else:
            structure, site_index = _structure(place), place.site_index or 0
            check(folder, element=place.element, structure=structure, site_index=site_index)
    except BadRunError as error:
        return Verdict(folder, error.reason, error.detail)
    return Verdict(folder)


def _check_all(folders: list[Path]) -> list[Verdict]:
    return [check_folder(folder) for folder in folders]


def _checked() -> list[Theory]:
    """The levels of theory that can judge a folder, those last whose runs lie in Lightshow's tree alone."""
    return sorted((each for each in theories() if each.check_folder), key=lambda each: each.only_in_tree)


def _what_it_is(folder: Path) -> tuple[Theory, Place | None]:
    """The level of theory of a run, and where it stands in Lightshow's tree; None if it lies elsewhere."""
    for theory in _checked():
        if (place := _place(folder, theory)) is not None:
            return theory, place
    anywhere = [theory for theory in _checked() if not theory.only_in_tree]
    found = [theory for theory in anywhere if any((folder / sign).exists() for sign in theory.signs)]
    return (found or anywhere)[0], None


def _place(folder: Path, theory: Theory) -> Place | None:
    """Where a folder stands in Lightshow's tree as a site's run at a level of theory; None if it is none."""
    place = place_of(f"{folder.resolve().as_posix()}/{theory.spectrum_file}", theory.name)
    return place if place is not None and place.file and place.site_index is not None else None


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
    others = {each.folder for each in theories() if each.engine and not each.check_folder}  # runs with the same names
    for name, below, files in os.walk(folder, onerror=stop, followlinks=True):
        real = os.path.realpath(name)
        if real in seen:  # a link that leads back
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(set(below) - others)
        if any(
            theory.signs.intersection(files) and (not theory.only_in_tree or _place(Path(name), theory))
            for theory in _checked()
        ):
            runs.append(Path(name))
    if not runs:
        raise XanesflowError(f"{folder} holds no run: {', and '.join(map(_what_is_missing, _checked()))}.")
    return runs


def _what_is_missing(theory: Theory) -> str:
    """What a folder lacks that would be a run at a level of theory."""
    if theory.only_in_tree:
        return f"no {theory.folder}/<site>_<element>"
    most = ", ".join(theory.files[:3])  # enough to know a run by
    return f"there is no {most} of {theory.name} in it nor below"
