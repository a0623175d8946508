"""Check the two finished steps of a site, and read the data of its spectrum.

A step passes the same checks as one that the workflow has just computed (`check_step`). In addition, the atom with the
hole must have the surroundings of the site, and INCAR of both steps must agree in all tags that total energies depend
on, because runs from elsewhere may have any set-up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from pymatgen.io.vasp.inputs import Incar, Poscar

from xanesflow.codes.archive import Member, gunzip
from xanesflow.codes.crystal_of_run import check_surroundings
from xanesflow.codes.read_text import text_of
from xanesflow.codes.vasp.check_step import check_core_hole, check_step, species_of
from xanesflow.codes.vasp.step_outputs import VASP_LIMIT, read_epsilon2, without_dielectric_function
from xanesflow.codes.vasp.step_tags import DEFAULTS, by_element, differing_tag
from xanesflow.core import limits
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadRunError, FailedRunError
from xanesflow.core.files import read_small

GROUND_STATE, CORE_HOLE = "ground state (VASP/SCF)", "core hole"

_NEEDED = ("INCAR", "POSCAR", "OSZICAR", "OUTCAR", "vasprun.xml")
_FORTRAN_EXPONENT = re.compile(r"(?<=\d|\.)[dD](?=[+-]?\d)")


@dataclass(frozen=True)
class Step:
    """A good ground state."""

    figures: Mapping[str, Any]  # as in its run.json (`check_step.Figures`)
    incar: Mapping[str, Any]  # its tags, those of each species by element (`step_tags.by_element`)


@dataclass(frozen=True)
class CoreHole:
    """The data of a spectrum."""

    energies_ev: NDArray[np.float64]  # (n,) relative to the core level
    epsilon2: NDArray[np.float64]  # (n,) imaginary part of the dielectric function, the mean of xx, yy and zz
    fermi_ev: float  # Fermi energy of the core hole step: the bottom of its conduction band, which holds the electron
    delta_scf_ev: float  # total energy of the core hole step minus that of the ground state
    volume_a3: float  # of the supercell in Å³


def step_files(folder: Path) -> dict[str, bytes]:
    """Read the files of a step's folder that are checked, each plain or packed as `OUTCAR.gz`.

    Raises:
        BadRunError: unreadable.
    """
    files = {}
    for name in _NEEDED:
        path = folder / name
        packed = path.with_name(f"{name}.gz")
        try:
            if path.is_file():
                files[name] = read_small(path, VASP_LIMIT)
            elif packed.is_file():
                member = gunzip(Member(packed.name, read_small(packed, VASP_LIMIT)), limit=VASP_LIMIT)
                if member.problem:
                    raise BadRunError("unreadable", f"{packed.name}: {member.problem}")
                files[name] = member.content
        except OSError as error:
            raise BadRunError("unreadable", f"{name} cannot be read ({what_is_wrong(error)})") from None
    return files


def read_ground_state(files: Mapping[str, bytes]) -> Step:
    """Check a ground state.

    Args:
        files: content of its files by name.

    Raises:
        BadRunError: it is missing or cannot be used; holds the reason.
    """
    with TemporaryDirectory() as name:
        try:
            folder = _lay_out(files, Path(name))
            return Step(asdict(check_step(folder)), _tags(folder))
        except Exception as error:
            raise _why(error, GROUND_STATE) from None


def read_core_hole(
    files: Mapping[str, bytes],
    ground_state: Step,
    *,
    element: str,
    structure: Structure | None = None,
    site_index: int = 0,
) -> CoreHole:
    """Check the core hole step of a site, and read the data of its spectrum.

    Args:
        files: content of its files by name.
        ground_state: of the same material.
        element: symbol of the absorber.
        structure: the material; None: the absorber's surroundings are not compared.
        site_index: 0-based index of the absorber into `structure`.

    Raises:
        BadRunError: it is missing, cannot be used, or does not fit the ground state; holds the reason.
    """
    with TemporaryDirectory() as name:
        try:
            folder = _lay_out(files, Path(name))
            figures = check_core_hole(folder, absorber=None, ground_state=ground_state.figures)
            _check_absorber(folder, element, structure, site_index)
            _check_tags(ground_state.incar, _tags(folder))
            energies, components = read_epsilon2(folder / "OUTCAR")
        except Exception as error:
            raise _why(error, CORE_HOLE) from None
    return CoreHole(
        energies_ev=energies,
        epsilon2=components[:, :3].mean(axis=1),
        fermi_ev=figures["fermi_ev"],
        delta_scf_ev=figures["delta_scf_ev"],
        volume_a3=figures["volume_a3"],
    )


def _lay_out(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write the files to disk, because pymatgen reads them there, and OUTCAR can then be read line by line."""
    if not any(files.get(name) for name in _NEEDED):
        raise FailedRunError("no_output", "it is missing")
    for name in _NEEDED:
        if not files.get(name, b"").strip():
            raise FailedRunError("no_output", f"{name} is missing or empty")
        content = files[name]
        if name == "INCAR":
            content = _FORTRAN_EXPONENT.sub("e", text_of(name, content)).encode()
        if name == "POSCAR":
            content = _without_remarks(text_of(name, content)).encode()
        _check_harmless(name, content)
        # Leave out a table that pymatgen takes seconds to parse, as we read it from OUTCAR.
        (folder / name).write_bytes(without_dielectric_function(content) if name == "vasprun.xml" else content)
    return folder


def _without_remarks(text: str) -> str:
    """Leave out remarks behind symbols and numbers of atoms, which pymatgen cannot read.

    Raises:
        FailedRunError: unreadable, as there is no line of symbols.
    """
    lines = text.splitlines()
    lines[5:7] = [re.split("[!#]", line)[0].rstrip() for line in lines[5:7]]
    if re.fullmatch(r"[\s\d]+", "".join(lines[5:6])):
        raise FailedRunError(
            "unreadable",
            "POSCAR does not name its elements, as VASP 4 wrote it; write their symbols into a line above the numbers "
            "of atoms",
        )
    return "\n".join(lines) + "\n"


def _check_harmless(name: str, content: bytes) -> None:
    """Refuse what would make pymatgen ask for memory without end, or for files elsewhere.

    Raises:
        FailedRunError: unreadable.
    """
    if name == "vasprun.xml" and (b"<!DOCTYPE" in content or b"<!ENTITY" in content):
        raise FailedRunError("unreadable", "vasprun.xml declares entities, which VASP never does")
    if name == "INCAR" and any(int(times) > limits.ATOMS for times in re.findall(rb"(\d{1,30})\s*\*", content)):
        raise FailedRunError("unreadable", f"INCAR repeats a value more than {limits.ATOMS:,} times")
    if name == "POSCAR":
        counts = [int(word[:30]) for line in content.split(b"\n")[5:7] for word in line.split() if word.isdigit()]
        if sum(counts) > content.count(b"\n") + 1:
            raise FailedRunError("unreadable", f"POSCAR announces {sum(counts):,} atoms, which it has not")


def _why(error: Exception, step: str) -> BadRunError:
    if isinstance(error, FailedRunError):
        return BadRunError(error.reason, f"{step}: {error}")
    if isinstance(error, OSError):
        raise error
    # pymatgen raises errors of any type.
    return BadRunError("unreadable", f"{step}: INCAR or POSCAR is not what VASP reads ({what_is_wrong(error)})")


def _check_absorber(folder: Path, element: str, structure: Structure | None, site_index: int) -> None:
    """Check that the first atom of the supercell has the element and the surroundings of the site."""
    cell = Poscar.from_file(folder / "POSCAR", check_for_potcar=False).structure
    if (found := cell[0].specie.symbol) != element:
        raise FailedRunError("wrong_absorber", f"the atom with the hole is {found}, not {element}")
    if structure is not None:
        check_surroundings(cell, 0, structure, site_index)


def _check_tags(ground_state: Mapping[str, Any], core_hole: Mapping[str, Any]) -> None:
    if differing := differing_tag(ground_state, core_hole, DEFAULTS):
        tag, one, other = differing
        raise FailedRunError("steps_differ", f"INCAR of ground state and core hole give {tag} as {one} and {other}")


def _tags(folder: Path) -> dict[str, Any]:
    symbols = [symbol for symbol, _ in species_of(folder / "POSCAR")]
    return by_element(Incar.from_file(folder / "INCAR"), symbols)
