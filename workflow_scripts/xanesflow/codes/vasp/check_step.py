"""Check a step of VASP by its vasprun.xml, OUTCAR and OSZICAR, and collect the figures to record."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lxml.etree import XMLSyntaxError
from pymatgen.core import Structure
from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar
from pymatgen.io.vasp.outputs import Oszicar, Vasprun

from xanesflow.codes.vasp.step_outputs import is_finished, read_epsilon2
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import FailedRunError
from xanesflow.core.text import plural

_SAME_A = 1e-3
_HOLE_DEFAULTS = {"ICORELEVEL": 0, "CLNT": 1, "CLN": 1, "CLL": 0, "CLZ": 0.0}  # VASP's
_SAME = 1e-6  # relative tolerance of values that both steps must share


@dataclass(frozen=True)
class Figures:
    """The recorded figures of a good step."""

    vasp_version: str  # as vasprun.xml names it
    energy_ev: float  # E0 of OSZICAR's last line, the total energy for vanishing smearing
    fermi_ev: float  # Fermi energy
    bands: int  # number of bands
    k_points: int  # number of irreducible k-points
    k_mesh: str  # all k-points, those of symmetry included (`_k_mesh`)
    electronic_steps: int  # of the last ionic step, which is the only one
    cutoff_ev: float  # plane waves up to this energy (ENCUT)
    volume_a3: float  # of the supercell in Å³
    atoms: int  # in the supercell
    potcar_titles: tuple[str, ...]  # of the POTCARs, as VASP names them, each once


def check_step(folder: Path) -> Figures:
    """Check the conditions of both steps.

    Args:
        folder: with the inputs of the last attempt, and the outputs.

    Raises:
        FailedRunError: a file is missing or cut off, the step did not end or converge, or VASP did not compute what
            INCAR and POSCAR ask for.
    """
    # The files must be complete, and the electrons converged.
    for name in ("vasprun.xml", "OUTCAR", "OSZICAR"):
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            raise FailedRunError("no_output", f"VASP left no {name}")
    vasprun = _read_vasprun(folder / "vasprun.xml")
    if not is_finished(folder / "OUTCAR"):
        raise FailedRunError("truncated", "OUTCAR ends before its time")
    energy = _last_energy(folder / "OSZICAR")
    steps = len(vasprun.ionic_steps[-1]["electronic_steps"]) if vasprun.ionic_steps else 0
    if not steps:
        raise FailedRunError("truncated", "vasprun.xml holds no electronic step")
    if not vasprun.converged_electronic:
        raise FailedRunError("not_converged", f"the electrons did not converge within {plural(steps, 'step')}")
    fermi = vasprun.efermi
    if fermi is None or not (math.isfinite(fermi) and math.isfinite(energy)):
        raise FailedRunError("not_a_number", f"the energy is {energy} eV, the Fermi energy {fermi} eV")

    # VASP must have computed what INCAR and POSCAR ask for.
    incar = Incar.from_file(folder / "INCAR")
    bands = int(vasprun.parameters.get("NBANDS", 0))
    if bands < int(incar.get("NBANDS", 0)):
        raise FailedRunError(
            "engine_failed", f"VASP took {plural(bands, 'band')} where INCAR asks for {incar['NBANDS']}"
        )
    if (charge := int(incar.get("ICHARG", 0))) >= 10:
        raise FailedRunError(
            "not_converged", f"ICHARG = {charge} keeps the charge density that VASP read, so it is not converged"
        )
    if vasprun.parameters.get("ISPIN", 1) != 1:
        raise FailedRunError("engine_failed", "VASP computed a spin-polarised state")
    species = species_of(folder / "POSCAR")
    if len(vasprun.potcar_symbols) != len(species):
        raise FailedRunError(
            "wrong_absorber", f"VASP saw {len(vasprun.potcar_symbols)} species where POSCAR has {len(species)}"
        )
    cell = vasprun.final_structure
    _check_same(cell, Poscar.from_file(folder / "POSCAR", check_for_potcar=False).structure)
    return Figures(
        vasp_version=str(vasprun.vasp_version).strip(),
        energy_ev=energy,
        fermi_ev=float(fermi),
        bands=bands,
        k_points=len(vasprun.actual_kpoints),
        k_mesh=_k_mesh(vasprun),
        electronic_steps=steps,
        cutoff_ev=float(vasprun.parameters.get("ENMAX", math.nan)),
        volume_a3=float(cell.volume),
        atoms=len(cell),
        potcar_titles=tuple(sorted(set(vasprun.potcar_symbols))),
    )


def check_core_hole(folder: Path, *, absorber: list[float] | None, ground_state: Mapping[str, Any]) -> dict[str, Any]:
    """Check the core hole step, and compare it with the ground state.

    Args:
        folder: as for `check_step`.
        absorber: fractional coordinates (3,) in the supercell; None: the first atom, wherever it is.
        ground_state: the figures of the ground state.

    Returns:
        Its own figures, the ground state's energy and the difference to it, by name.

    Raises:
        FailedRunError: as `check_step`; or the hole is in another atom, the dielectric function is missing, cut off or
            zero, or the two steps cannot be compared.
    """
    # The hole must be in the 1s level of the absorber, and the spectrum must be there.
    figures = check_step(folder)
    incar = Incar.from_file(folder / "INCAR")
    hole = [incar.get(tag, default) for tag, default in _HOLE_DEFAULTS.items()]
    if hole != [2, 1, 1, 0, 1.0] or not incar.get("CH_LSPEC"):
        raise FailedRunError("wrong_absorber", "INCAR asks for no full hole in the 1s level of the first species")
    if (number := species_of(folder / "POSCAR")[0][1]) != 1:
        raise FailedRunError("wrong_absorber", f"the species with the hole has {plural(number, 'atom')}, not one")
    if absorber is not None:
        first = Poscar.from_file(folder / "POSCAR", check_for_potcar=False).structure[0]
        distance = first.lattice.get_all_distances([absorber], [first.frac_coords])[0, 0]
        if distance > _SAME_A:
            raise FailedRunError("wrong_absorber", f"the atom with the hole lies {distance:.3f} Å from the absorber")
    _check_table(folder, incar)

    # The two steps must agree, or the difference of their total energies means nothing.
    for key in ("cutoff_ev", "volume_a3", "atoms"):
        mine, other = getattr(figures, key), ground_state[key]
        if not math.isclose(mine, other, rel_tol=_SAME):
            raise FailedRunError("steps_differ", f"ground state and core hole differ in {key}: {other:g} and {mine:g}")
    mine, other = figures.k_mesh, ground_state.get("k_mesh")
    if mine and other and mine != other:
        raise FailedRunError("steps_differ", f"ground state and core hole differ in k_mesh: {other} and {mine}")
    titles = ground_state.get("potcar_titles")
    if titles is not None and tuple(titles) != figures.potcar_titles:
        theirs = sorted({*titles} ^ {*figures.potcar_titles})
        raise FailedRunError("steps_differ", f"only one of ground state and core hole has the POTCAR {theirs[0]}")
    return {
        **asdict(figures),
        "ground_state_energy_ev": ground_state["energy_ev"],
        "delta_scf_ev": figures.energy_ev - ground_state["energy_ev"],
    }


def _check_table(folder: Path, incar: Incar) -> None:
    energies, components = read_epsilon2(folder / "OUTCAR")
    if not len(energies):
        raise FailedRunError("no_output", "OUTCAR holds no imaginary part of the dielectric function")
    asked = int(incar.get("CH_NEDOS", len(energies)))
    if len(energies) < asked:
        raise FailedRunError(
            "truncated", f"the dielectric function has {len(energies)} of {plural(asked, 'energy', 'energies')}"
        )
    if not (np.isfinite(energies).all() and np.isfinite(components).all()):
        raise FailedRunError("not_a_number", "the dielectric function holds values that are no numbers")
    if not components[:, :3].any():
        raise FailedRunError("all_zero", "the dielectric function is zero everywhere")


def _read_vasprun(path: Path) -> Vasprun:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Vasprun(path, parse_potcar_file=False, parse_eigen=False)
    except XMLSyntaxError:
        raise FailedRunError("truncated", "vasprun.xml ends before its time or is damaged") from None
    except Exception as error:  # pymatgen raises whatever it ran into
        raise FailedRunError("unreadable", f"vasprun.xml is not what VASP writes: {what_is_wrong(error)}") from None


def _k_mesh(vasprun: Vasprun) -> str:
    """Describe a mesh by its divisions and its offset from Γ in parts of them, and a list by its k-points.

    The names of a mesh (`Gamma`, `Automatic`) do not tell whether two are the same, nor do the irreducible k-points, as
    the hole breaks symmetries and so has more of them; but each lies on the mesh. Empty: vasprun.xml does not say.
    """
    points = np.array(vasprun.actual_kpoints)
    if not len(points):
        return ""
    divisions = np.array(vasprun.kpoints.kpts[0])
    if len(points) == 1 == divisions.prod() or vasprun.kpoints.style == Kpoints.supported_modes.Reciprocal:
        return "; ".join(f"{x:g} {y:g} {z:g}" for x, y, z in points.round(6) + 0.0)
    if divisions.prod() == 1:  # pymatgen's value where there are none
        return ""
    x, y, z = (points[0] * divisions).round(3) % 1
    return f"{' × '.join(map(str, divisions))} offset {x:g} {y:g} {z:g}"


def _last_energy(path: Path) -> float:
    try:
        return float(Oszicar(path).ionic_steps[-1]["E0"])
    except Exception:
        raise FailedRunError("truncated", "OSZICAR ends without the line of the total energy") from None


def species_of(poscar: Path) -> list[tuple[str, int]]:
    """Read symbol and number of atoms of each species; pymatgen would merge the absorber with its element."""
    symbols, numbers = (line.split() for line in poscar.read_text(encoding="utf-8").splitlines()[5:7])
    return [(re.split("[_/]", symbol)[0], int(number)) for symbol, number in zip(symbols, numbers, strict=True)]


def _check_same(computed: Structure, asked: Structure) -> None:
    """Check that both are the same supercell, atom by atom."""
    same = len(computed) == len(asked) and [s.specie for s in computed] == [s.specie for s in asked]
    if same and np.allclose(computed.lattice.matrix, asked.lattice.matrix, atol=_SAME_A):
        apart = computed.frac_coords - asked.frac_coords
        apart -= np.round(apart)
        if np.abs(asked.lattice.get_cartesian_coords(apart)).max() < _SAME_A:
            return
    raise FailedRunError("wrong_absorber", "VASP computed another structure than that of POSCAR")
