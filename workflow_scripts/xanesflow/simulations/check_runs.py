"""Find finished runs in folders and check whether each is good, for every level of theory that can check one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.codes.damaged_run import explain_bad_run
from xanesflow.codes.lightshow_tree import Place, place_of
from xanesflow.codes.registry import load, theories
from xanesflow.codes.run_description import RunDescription
from xanesflow.codes.theory import Theory
from xanesflow.core import limits
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadRunError, UnusableStructure, XanesflowError
from xanesflow.core.files import read_small
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.sites import WHOLE_MATERIAL
from xanesflow.core.text import listing
from xanesflow.structures.material import not_the_absorber
from xanesflow.structures.poscar import parse_poscar, structure_text


@dataclass(frozen=True)
class Verdict:
    """Whether a run is good, and if not, why."""

    folder: Path  # the run's folder
    found: RunDescription  # what the run is, as far as its files say it
    # whether only its content says what it is, as names are free outside Lightshow's tree for most codes
    by_content: bool
    reason: str = ""  # one of `xanesflow.core.reasons.REASONS`; empty if the run is good
    detail: str = ""  # one sentence on the reason


def check_folders(folders: Sequence[Path], *, workers: int = 1) -> Iterator[Verdict]:
    """Check all runs in folders, sorted by path, and yield each result as soon as it is known.

    A run in Lightshow's tree, below the POSCAR of its material, must also be the K edge of the element and site that
    its folder names. Elsewhere, a FEFF run is only checked for whether its own files agree, and a VASP run is ignored,
    because its check needs the ground state from that tree. Runs of the other codes must be of a K edge everywhere.
    Whether a spectrum covers a grid, and is positive in it, is not checked.

    Args:
        folders: runs, or folders with runs anywhere below.
        workers: processes.

    Raises:
        XanesflowError: a folder does not exist, cannot be listed or holds no run; the error names it.
    """
    runs = list(dict.fromkeys(run for folder in folders for run in _runs_in(folder)))
    yield from map_in_processes(check_folder, runs, workers)


def check_folder(folder: Path) -> Verdict:
    """Check one run; see `check_folders`."""
    theory, place = _what_it_is(folder)
    by_content = place is None and bool(theory.recognise)
    found = RunDescription(theory.title.split(",")[0])
    try:
        with explain_bad_run():
            if theory.describe_folder:
                found = load(theory.describe_folder)(folder)
            check = load(theory.check_folder)
            if place is None:
                checked = check(folder)
            else:
                structure, site_index = _structure(place), max(place.site_index or 0, 0)
                checked = check(folder, element=place.element, structure=structure, site_index=site_index)
    except BadRunError as error:
        return Verdict(folder, found, by_content, error.reason, error.detail)
    return Verdict(folder, found if checked is None else checked, by_content)


def _checked() -> list[Theory]:
    """The levels of theory that can check a folder; last those whose runs are found in Lightshow's tree only."""
    return sorted((each for each in theories() if each.check_folder), key=lambda each: each.only_in_tree)


def _what_it_is(folder: Path) -> tuple[Theory, Place | None]:
    """The level of theory of a run, and its place in Lightshow's tree; None if it is elsewhere."""
    for theory in _checked():
        if (place := _place(folder, theory)) is not None:
            return theory, place
    anywhere = [theory for theory in _checked() if not theory.only_in_tree]
    found = [theory for theory in anywhere if _recognised(folder, theory, _names(folder))]
    return (found or anywhere)[0], None


def _place(folder: Path, theory: Theory) -> Place | None:
    """The place of a folder in Lightshow's tree as a site's run at a level of theory; None if it is not one."""
    place = place_of(f"{folder.resolve().as_posix()}/{theory.spectrum_file}", theory.name, shared=theory.one_run)
    return place if place is not None and place.file and place.site_index is not None else None


def _structure(place: Place) -> Structure | None:
    """The structure that a run belongs to; None if there is no POSCAR.

    Raises:
        BadRunError: no_structure or wrong_absorber.
    """
    path = Path(place.root, "POSCAR")
    if not path.is_file():
        return None
    try:
        structure = parse_poscar(structure_text(read_small(path, limits.STRUCTURE_FILE)))
    except (UnusableStructure, OSError) as error:
        said = str(error) if isinstance(error, UnusableStructure) else f"cannot be read ({what_is_wrong(error)})"
        raise BadRunError("no_structure", f"POSCAR {said}") from None
    if place.site_index == WHOLE_MATERIAL:
        return structure
    symbols = [site.specie.symbol for site in structure]
    if detail := not_the_absorber(symbols, place.site_index or 0, place.element or ""):
        raise BadRunError("wrong_absorber", detail)
    return structure


def _runs_in(folder: Path) -> list[Path]:
    """The runs in a folder: the folder itself, or folders below it."""
    if not folder.exists():
        raise XanesflowError(f"{folder} does not exist (looked from {Path.cwd()}); name folders with runs.")
    if not folder.is_dir():
        raise XanesflowError(
            f"{folder} is not a folder; name folders with runs (a packed archive is checked when it is imported, "
            "with simulations.source: archive)."
        )

    def stop(error: OSError) -> None:
        raise XanesflowError(f"{error.filename} cannot be listed ({error.strerror}), so its runs would be missed.")

    runs, seen = [], set()
    # Runs of these theories hold files of the same names.
    others = {each.folder for each in theories() if each.engine and not each.check_folder}
    for name, below, files in os.walk(folder, onerror=stop, followlinks=True):
        real = os.path.realpath(name)
        if real in seen:  # a link back to a folder already seen
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(set(below) - others)
        here = [theory for theory in _checked() if _is_run(Path(name), theory, [*files, *below])]
        if here:
            runs.append(Path(name))
        if any(theory.recognise for theory in here) or (here and "result.json" in files):
            below.clear()  # such a run has folders of its own; result.json is ours, with the attempts below it
    if not runs:
        forms = listing([_how_it_is_known(theory) for theory in _checked()], "or")
        raise XanesflowError(f"{folder} holds no run: nothing in it or below it is a run of {forms}.")
    return runs


def _is_run(folder: Path, theory: Theory, names: list[str]) -> bool:
    """Whether a folder is that of a run at a level of theory; in Lightshow's tree, an unfinished one counts too."""
    if theory.recognise:
        return (bool(names) and _place(folder, theory) is not None) or _recognised(folder, theory, names)
    return bool(theory.signs.intersection(names)) and (not theory.only_in_tree or _place(folder, theory) is not None)


def _recognised(folder: Path, theory: Theory, names: list[str]) -> bool:
    """Whether the files of a folder, wherever it is, are those of a run."""
    if theory.recognise:
        return bool(load(theory.recognise)(folder, names))
    return bool(theory.signs.intersection(names))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _how_it_is_known(theory: Theory) -> str:
    """Name a level of theory, and what its runs are found by if it is not any file that the code wrote."""
    name = theory.title.split(",")[0].split(":")[0]
    if theory.recognise:
        return name
    found_by = f"{theory.folder}/<site>_<element>" if theory.only_in_tree else ", ".join(theory.files[:3])
    return f"{name} ({found_by})"
