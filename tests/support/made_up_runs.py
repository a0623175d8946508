"""Made-up finished runs of OCEAN, exciting, XSpectra and FDMNES: the form of the codes, with an edge that is known.

No program made them. Each holds the same absorption edge, an arctangent of known width, in the units and files of its
code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

HARTREE_EV, BOHR_A, ALPHA = 27.211386245988, 0.529177210903, 1 / 137.035999084
EDGE_EV, JUMP = 4966.0, 1.7098e-3  # of Ti, Elam's tables; bohr²


def rutile() -> Structure:
    x = 0.30478
    oxygen = [[x, x, 0], [1 - x, 1 - x, 0], [0.5 - x, 0.5 + x, 0.5], [0.5 + x, 0.5 - x, 0.5]]
    cell = Lattice.tetragonal(4.5937, 2.9587)
    return Structure(cell, ["Ti"] * 2 + ["O"] * 4, [[0, 0, 0], [0.5, 0.5, 0.5], *oxygen])


def edge(relative_ev: np.ndarray, width_ev: float) -> np.ndarray:
    """The cross section in bohr²: half of the jump is at 0, the full width is that of the arctangent's Lorentzian."""
    return JUMP * (0.5 + np.arctan(2 * relative_ev / width_ev) / np.pi)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def epsilon2(cross_section: np.ndarray, energy_ev: np.ndarray, volume_bohr3: float) -> np.ndarray:
    """Im ε of a cell with one absorber, from σ = α (E/Hartree) V Im ε."""
    return cross_section / (ALPHA * energy_ev / HARTREE_EV * volume_bohr3)


def ocean(width_ev: float, *, photons: int = 3, atoms: int = 2) -> dict[str, str]:
    volume = rutile().volume / BOHR_A**3
    relative = np.arange(-20, 60, 0.1)
    values = epsilon2(edge(relative, width_ev), EDGE_EV + relative, volume)
    head = f"#   iter=  100   gam= {width_ev / 2 / HARTREE_EV:.8E}   kpref= 0.1E-05vol= {volume:.8E}\n# Energy Spect\n"
    rows = "".join(f"{e:.8E} {v:.8E}" + " 0.0" * 7 + "\n" for e, v in zip(relative, values, strict=True))
    files = {"ocean.in": "znucl { 22 8 }\ntypat { 1 1 2 2 2 2 }\nedges { -22 1 0 }\n"}
    for k, axis in enumerate(("1 0 0", "0 1 0", "0 0 1")[:photons], start=1):
        files[f"photon{k}"] = f"dipole\ncartesian {axis}\nend\ncartesian 0 0 1\nend\n4966\n"
        files |= {f"CNBSE/absspct_Ti.{atom:04d}_1s_{k:02d}": head + rows for atom in range(1, atoms + 1)}
    return files


def exciting(width_ev: float, *, atom: int | str = 1) -> dict[str, str]:
    volume = rutile().volume / BOHR_A**3
    energy = np.arange(4840, 4920, 0.1)
    values = epsilon2(edge(energy - 4860, width_ev), energy, volume)
    head = (
        f"# Energy scale=   27.211384\n# Used broadening in scaled energy units:    {width_ev / 2}\n"
        f"# Unit cell volume [au]=  {volume:.6f}\n"
    )
    rows = "".join(f"{e:+.10E} +0.1E+01 {v:+.10E} +0.1E+01\n" for e, v in zip(energy, values, strict=True))
    files = {
        "input.xml": (
            '<input><structure><species speciesfile="Ti.xml"/><species speciesfile="O.xml"/></structure><xs>'
            f'<BSE xas="true" xasspecies="1" xasatom="{atom}" xasedge="K"/></xs></input>'
        ),
        "INFO.OUT": "| EXCITING FLUORINE started =\nConvergence targets achieved. Performing final SCF iteration\n",
        "INFOXS.OUT": (
            "| EXCITING FLUORINE started for task bse (445) =\nInfo(bselauncher): Spectrum finished for iqmt=  1\n"
            "= EXCITING FLUORINE stopped for task    445 =\n"
        ),
    }
    return files | {f"EPSILON/EPSILON_BSE-singlet-TDA-BAR_SCR-full_OC{c}.OUT": head + rows for c in ("11", "22", "33")}


def xspectra(width_ev: float, *, axes: tuple[str, ...] = ("1.0 0.0 0.0", "0.0 0.0 1.0")) -> dict[str, str]:
    relative = np.arange(-15, 65, 0.1)
    data = (
        f"# Broadening parameter (in eV): {width_ev / 2:.3f}\n# Absorbing atom type (xiabs): 1\n# Energy (eV) sigma\n"
    )
    data += "".join(f"{e:.8f} {v:.10f}\n" for e, v in zip(relative, edge(relative - 10, width_ev), strict=True))
    files = {"es.out": "     Program PWSCF v.6.7\n     convergence has been achieved in  12 iterations\n"}
    for k, axis in enumerate(axes, start=1):
        printed = (
            f"     Program XSpectra v.6.7\n     xepsilon  [cartesian coordinates]:   {axis}\n"
            "     PseudoPot. # 1 for Ti read from file:\n        ! k-point #     1:\n"
            "        !   => CONVERGED at iter    150 with error=  0.00000000\n"
            "        energy-zero of the spectrum [eV]: 6.4\n"
            "        Core level energy [eV]:  -4966.\n                   END JOB XSpectra\n"
        )
        files |= {
            f"dipole{k}/xanes.in": " edge='K'\n",
            f"dipole{k}/xanes.out": printed,
            f"dipole{k}/xanes.dat": data,
        }
    return files


def fdmnes(width_ev: float, *, ended: bool = True) -> dict[str, str]:
    energy = np.arange(4946, 5036, 0.1)
    mbarn = 2 * edge(energy - 4966, width_ev) * BOHR_A**2 * 100  # of two equivalent atoms
    rows = "".join(f"{e:10.2f} {v:.7E}\n" for e, v in zip(energy, mbarn, strict=True))
    first = "  4966.000   22  1  1  0.0  0.0  2.0 = E_edge, Z, n_edge, j_edge, Abs_before_edge, VO, natomsym_f\n"
    log = (
        " FDMNES program, Revision 21st of January 2021\n Threshold: Titanium K1 edge\n"
        f"    Gamma_hole =   {width_ev}, E_cut =   0.000, Shift =   0.000 eV\n"
    )
    return {
        "Ti_in.txt": "Filout\n  Ti\n",
        "Ti.txt": first + "    Energy    <xanes>\n" + rows,
        "Ti_conv.txt": "    Energy    <xanes>\n" + rows,
        "Ti_bav.txt": log + ("\n    Have a beautiful day !\n" if ended else ""),
    }
