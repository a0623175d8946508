"""Read and check a finished run of FDMNES.

FDMNES writes for each inequivalent absorber `<name>.txt` (raw) and `<name>_conv.txt` (broadened by itself, with a width
that rises from that of the 1s level at the edge), at absolute energies around the tabulated edge, in Mbarn and summed
over the equivalent atoms, whose number stands in the first line of the raw file. Its log is `<name>_bav.txt`. It
averages over polarisations itself. With several inequivalent absorbers the files are `<name>_1.txt`, `<name>_2.txt`, …
in the order of the log's section Symsite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Element, Lattice, Structure

from xanesflow.codes.common_scale import CommonReader, RawSpectrum, check_curve
from xanesflow.codes.crystal_of_run import atoms_of_site, crystal_of
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.read_text import text_of
from xanesflow.codes.registry import FDMNES
from xanesflow.codes.run_description import RunDescription, check_edge, read_files
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import plural
from xanesflow.core.units import BOHR_ANGSTROM

MBARN_IN_BOHR2 = 0.01 / BOHR_ANGSTROM**2
"""A megabarn is 0.01 Å²."""

_END = "Have a beautiful day"
_THRESHOLD = re.compile(r"Threshold:\s+(\w+)\s+([A-Z]+)(\d*) edge")
_REVISION = re.compile(r"FDMNES program, Revision\s+(.+)")
_HOLE = re.compile(r"Gamma_hole\s*=\s*([\d.]+)")
_ATOM = re.compile(r"^[ \t]+(\d+)((?:[ \t]+[-+]?\d+\.\d+){3})[ \t]+\d+[ \t]*\r?$", re.MULTILINE)
_KIND = re.compile(r"ipr =\s*(\d+), Z =\s*(\d+), natomsym =\s*\d+\s+igr.*\n((?:\s+\d+.*\n)+)")
_CELL = re.compile(r"n_atom_uc\s*=\s*(\d+)\s+a, b, c\s*=((?:\s+[\d.]+){3})\s+alfa, beta, gamma\s*=((?:\s+[\d.]+){3})")


@dataclass(frozen=True)
class _Absorber:
    """One absorber's files: `Ti` or `Cu_2`, with the raw file's first line."""

    name: str
    atomic_number: int
    edge: str
    equivalent: float


class FdmnesReader(CommonReader):
    """Reads the runs of a chunk; a run holds all sites of its material."""

    def read(self, run: FinishedRun, element: str, structure: Structure | None) -> RawSpectrum:
        """As `CommonReader.read`."""
        check_files(run.files, element=element)
        return read_absorber(run.files, _name_of_site(run.files, element, structure, run.site_index))


def recognise(folder: Path, names: list[str]) -> bool:
    """Return whether a folder holds a run of FDMNES."""
    return any(name.endswith("_bav.txt") for name in names)


def check_folder(
    folder: Path, *, element: str | None = None, structure: Structure | None = None, site_index: int = 0
) -> RunDescription:
    """Check the run in a folder.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    files = read_files(folder, FDMNES.files)
    found, crystal = check_files(files, element=element), _crystal(_log(files))
    if structure is not None and crystal is not None and element is not None:
        atoms_of_site(crystal, structure, structure.indices_from_symbol(element)[0])
    return found


def check_files(files: Mapping[str, bytes], *, element: str | None) -> RunDescription:
    """Check a run, and say what it is.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    found = describe(files)
    check_edge(found, element=element)
    absorbers = _absorbers(files)
    if _END not in _log(files):
        raise BadRunError("truncated", "FDMNES's log (<name>_bav.txt) ends before its time, so FDMNES did not end")
    if not absorbers:
        raise BadRunError("no_output", "there is no spectrum (<name>.txt) whose first line names the edge")
    for absorber in absorbers:
        read_absorber(files, absorber.name)
    return found


def describe_folder(folder: Path) -> RunDescription:
    """Say what the run in a folder is, good or not.

    Raises:
        BadRunError: no file says what it is.
    """
    return describe(read_files(folder, FDMNES.files))


def describe(files: Mapping[str, bytes]) -> RunDescription:
    """Say what a run is, good or not.

    Raises:
        BadRunError: no_output, if there is no log.
    """
    log, absorbers = _log(files), _absorbers(files)
    threshold, revision = _THRESHOLD.search(log), _REVISION.search(log)
    number = absorbers[0].atomic_number if absorbers else 0
    symbol = Element.from_Z(number).symbol if 0 < number < 119 else ""
    edge = threshold[2] + (threshold[3] if threshold[2] != "K" else "") if threshold else ""
    return RunDescription("FDMNES", revision[1].strip() if revision else "", symbol, edge)


def _log(files: Mapping[str, bytes]) -> str:
    logs = [name for name in files if name.endswith("_bav.txt")]
    if not logs:
        raise BadRunError("no_output", "there is no log of FDMNES (<name>_bav.txt)")
    return text_of(logs[0], files[logs[0]])


def read_absorber(files: Mapping[str, bytes], name: str) -> RawSpectrum:
    """Read the broadened spectrum of an absorber, per atom.

    Args:
        files: content by name.
        name: of the absorber's files, such as `Cu_1`.

    Raises:
        BadRunError: no_output, truncated, unreadable or not_a_number.
    """
    absorber = next((each for each in _absorbers(files) if each.name == name), None)
    if absorber is None:
        raise BadRunError("no_output", f"{name}.txt is missing")
    if f"{name}_conv.txt" not in files:
        raise BadRunError("no_output", f"{name}_conv.txt is missing: the spectrum was not broadened")
    text = text_of(f"{name}_conv.txt", files[f"{name}_conv.txt"])
    if not text.endswith("\n"):
        raise BadRunError("truncated", f"{name}_conv.txt ends in the middle of a row")
    try:
        table = np.array([list(map(float, line.split()[:2])) for line in text.splitlines()[1:] if line.strip()])
        energy, values = check_curve(table[:, 0], table[:, 1] * MBARN_IN_BOHR2 / absorber.equivalent)
    except (ValueError, IndexError):
        raise BadRunError("unreadable", f"{name}_conv.txt is no table of energies and cross sections") from None
    if (hole := _HOLE.search(_log(files))) is None:
        raise BadRunError("unreadable", f"the log does not name the width that {name}_conv.txt has (Gamma_hole)")
    how = f"FDMNES's own average over polarisations, of {absorber.equivalent:g} equivalent atoms each"
    return RawSpectrum(energy, values, float(hole[1]), "FDMNES's tabulated edge", how)


def _absorbers(files: Mapping[str, bytes]) -> list[_Absorber]:
    """Find the raw spectra by their first line, `E_edge Z n_edge j_edge … natomsym_f … = E_edge, Z, …`."""
    found = []
    for name in sorted(files, key=lambda name: (len(name), name)):  # Cu_10 comes after Cu_9
        first = files[name].split(b"\n", 1)[0].decode("ascii", errors="replace")
        values, _, names = first.partition("=")
        keys, words = [key.strip() for key in names.split(",")], values.split()
        if name.endswith(".txt") and keys[:2] == ["E_edge", "Z"] and len(words) == len(keys):
            row = dict(zip(keys, words, strict=True))
            shell = {"1": "K", "2": "L", "3": "M"}.get(row.get("n_edge", ""), "?")
            number = float(row.get("natomsym_f", "1"))
            found.append(_Absorber(name.removesuffix(".txt"), int(row["Z"]), shell, number))
    return found


def _crystal(log: str) -> Structure | None:
    """Return the crystal that the log lists; None if it does not list all of its atoms.

    Raises:
        BadRunError: unreadable.
    """
    if (cell := _CELL.search(log)) is None:
        return None
    atoms = _ATOM.findall(log, cell.end())[: int(cell[1])]
    if len(atoms) < int(cell[1]) or not all(0 < int(z) < 119 for z, _ in atoms):
        return None
    lattice = Lattice.from_parameters(*map(float, cell[2].split()), *map(float, cell[3].split()))
    symbols = [Element.from_Z(int(z)).symbol for z, _ in atoms]
    return crystal_of(lattice.matrix, symbols, np.array([place.split() for _, place in atoms], dtype=float))


def _name_of_site(files: Mapping[str, bytes], element: str, structure: Structure | None, site_index: int) -> str:
    """Find the files of a site: the log groups the atoms, by position, into inequivalent absorbers.

    Raises:
        BadRunError: wrong_absorber, if the log has no such atom; no_output, if its group was not computed.
    """
    absorbers, log = _absorbers(files), _log(files)
    if structure is None:
        return absorbers[0].name
    number, crystal = structure[site_index].specie.Z, _crystal(log)
    groups = [rows for _, z, rows in _KIND.findall(log) if int(z) == number]
    same = atoms_of_site(crystal, structure, site_index) if crystal is not None else []
    if len(absorbers) == 1 and len(groups) <= 1:
        return absorbers[0].name
    if len(absorbers) != len(groups):
        raise BadRunError(
            "no_output",
            f"FDMNES found {plural(len(groups), 'inequivalent atom')} of {element} and left spectra of "
            f"{len(absorbers)}, so which is of which is not known",
        )
    if not same:
        raise BadRunError(
            "wrong_absorber",
            "FDMNES's log lists no cell with all its atoms, so which spectrum is of which is not known",
        )
    group_of: dict[str, str] = {}
    for absorber, rows in zip(absorbers, groups, strict=True):
        # A row is one atom with its position, or the numbers of several.
        words = [word for line in rows.splitlines() for word in line.split()[: 1 if "." in line else None]]
        group_of |= dict.fromkeys(words, absorber.name)
    if computed := [group_of[str(index + 1)] for index in same if str(index + 1) in group_of]:
        return computed[0]
    raise BadRunError("no_output", f"FDMNES did not compute the atom of site {site_index}")
