"""Finished FEFF runs that the tests write, in Lightshow's tree: small oxides with spectra of plausible shape.

The cluster in feff.inp is the real one around the site, and the fine structure comes from its distances, so that
whatever compares a run with its structure finds them in accord, and a model has something to learn. The logs have the
lines of FEFF that tell how a run went; the numbers between them are of no meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from pymatgen.core import Element, Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

GRID_START_EV = {"Ti": 4964.504, "V": 5464.097, "Cr": 5989.168, "Mn": 6537.886, "Fe": 7111.23, "Co": 7709.282,
                 "Ni": 8332.181, "Cu": 8983.173}  # fmt: skip
EDGE_STEP_A2 = 2.4413e-4
CLUSTER_RADIUS_A = 6.0
PARTNERS = ("Mg", "Ca", "Sr", "Ba", "Al", "Si", "Ge", "Sn", "Y", "La", "Na", "K")

LOG = """Launching FEFF version FEFF 9.9.1
Core hole lifetime is   1.729 eV.
{element} K edge XANES using RPA corehole.
Calculating atomic potentials ...
Done with module: atomic potentials.
Calculating SCF potentials ...
SCF ITERATION NUMBER  1
New Fermi level:    mu=  -7.000 eV  Charge distance=  0.0200 (partial c.d.=  0.0100)
SCF ITERATION NUMBER  2
New Fermi level:    mu=  -7.001 eV  Charge distance=  0.0001 (partial c.d.=  0.0000)
Convergence reached in    2 iterations.
Done with module: potentials.

Calculating screened core-hole potential ...
Done with module: screened core-hole potential.
Calculating cross-section and phases ...
Done with module: cross-section and phases (XSPH).
FMS calculation of full Green's function ...
FMS for a cluster of  {atoms:3d} atoms
Done with module: FMS.
MKGTR: Tracing over Green's function ...
Done with module: MKGTR.
Pathfinder: finding scattering paths...
Done with module: pathfinder.
Calculating EXAFS parameters ...
Done with module: EXAFS parameters (GENFMT).
Calculating XAS spectra ...
Done with module: XAS spectra (FF2X: DW + final sum over paths).
"""


def rocksalt(metal: str = "Cu", a: float = 4.25) -> Structure:
    """Primitive cell of MO: one metal site, alone in its cell."""
    h = a / 2
    return Structure([[0, h, h], [h, 0, h], [h, h, 0]], [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def cuprite(metal: str = "Cu", a: float = 4.27) -> Structure:
    """M2O: one metal site of multiplicity 4; atoms 0-3 are the metal."""
    metals = [[0.25, 0.25, 0.25], [0.25, 0.75, 0.75], [0.75, 0.25, 0.75], [0.75, 0.75, 0.25]]
    return Structure(Lattice.cubic(a), [metal] * 4 + ["O"] * 2, [*metals, [0, 0, 0], [0.5, 0.5, 0.5]])


def perovskite(metal: str = "Cu", partner: str = "Sr", a: float = 3.9) -> Structure:
    """AMO3: atom 0 is A, atom 1 the only metal site."""
    return Structure(Lattice.cubic(a), [partner, metal, "O", "O", "O"],
                     [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])  # fmt: skip


def rutile(metal: str = "Cu", a: float = 4.6) -> Structure:
    """MO2: one metal site of multiplicity 2."""
    u = 0.305
    oxygens = [[u, u, 0], [1 - u, 1 - u, 0], [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5]]
    cell = Lattice.tetragonal(a, 0.645 * a)
    return Structure(cell, [metal] * 2 + ["O"] * 4, [[0, 0, 0], [0.5, 0.5, 0.5], *oxygens])


def layered(metal: str = "Cu", partner: str = "Sr", a: float = 3.9) -> Structure:
    """A2M3O7 of layers: two metal sites, atom 2 alone in its cell, atoms 3 and 4 equivalent."""
    metals = [[0, 0, 0], [0, 0, 0.355], [0, 0, 0.645]]
    oxygens = [[0, 0.5, 0], [0, 0, 0.16], [0, 0, 0.84], *([x, 0.5 - x, z] for x in (0.5, 0) for z in (0.37, 0.63))]
    fractions = [[0.5, 0.5, 0.18], [0.5, 0.5, 0.82], *metals, *oxygens]
    return Structure(Lattice.orthorhombic(a, 1.01 * a, 3 * a), [partner] * 2 + [metal] * 3 + ["O"] * 7, fractions)


def bent_chain(metal: str = "Cu", partner: str = "Ca", a: float = 4.3) -> Structure:
    """A cell without symmetry: three metal sites of multiplicity 1, atoms 1, 2 and 3."""
    fractions = [[0.02, 0.51, 0.49], [0.01, 0, 0.02], [0.26, 0.48, 0.03], [0.52, 0.03, 0.5],
                 [0.25, 0, 0.01], [0.5, 0.47, 0], [0.74, 0.03, 0.52], [0, 0.5, 0], [0.27, 0.52, 0.5]]  # fmt: skip
    cell = Lattice.from_parameters(2 * a, a, a, 89, 92, 90.5)
    return Structure(cell, [partner, metal, metal, metal, *["O"] * 5], fractions)


PROTOTYPES = (rocksalt, cuprite, perovskite, rutile, layered, bent_chain)


def materials(element: str = "Cu", number: int = 36, seed: int = 0) -> dict[str, Structure]:
    """`number` oxides of `element` by material id, of six prototypes in turn, of varied size and partner."""
    random = np.random.default_rng(seed)
    made = {}
    for k in range(number):
        prototype = PROTOTYPES[k % len(PROTOTYPES)]
        partner = {"partner": str(random.choice(PARTNERS))} if "partner" in prototype.__annotations__ else {}
        structure = prototype(element, **partner)
        structure.apply_strain(
            random.uniform(-0.03, 0.03, size=3) if prototype is bent_chain else random.uniform(-0.03, 0.03)
        )
        made[f"mp-{900001 + 7 * k}"] = structure
    return made


def absorbers(structure: Structure, element: str) -> list[int]:
    """Index of the first atom of each kind of symmetry-equivalent atoms of `element`."""
    equivalent = SpacegroupAnalyzer(structure, symprec=0.01).get_symmetry_dataset().equivalent_atoms
    return [i for i in sorted(set(equivalent.tolist())) if structure[i].specie.symbol == element]


def spectrum(structure: Structure, site: int, element: str, *, k_max: float = 6.0) -> np.ndarray:
    """Rows of xmu.dat (n, 6): omega, e, k, mu, mu0, chi of a site, with fine structure after its distances."""
    neighbours = structure.get_neighbors(structure[site], CLUSTER_RADIUS_A)
    nearest = sorted(n.nn_distance for n in neighbours)[:4]
    k = np.arange(-1, k_max + 1e-9, 0.04)
    relative_ev = np.sign(k) * 3.81 * k**2
    edge_ev = GRID_START_EV[element] + 6.5 + 4 * (2.2 - np.mean(nearest))  # short bonds bind the core level more
    mu0 = 0.5 + np.arctan((relative_ev + 1.5) / 1.2) / np.pi
    chi = np.zeros_like(k)
    wave = np.sqrt(np.clip(k, 0, None) ** 2 + 0.6)
    for each in neighbours:
        r = each.nn_distance
        strength = 0.7 * (each.specie.Z / 8) ** 0.25 * np.exp(-r / 3) / r**2
        chi += strength / wave * np.sin(2 * wave * r + 0.08 * each.specie.Z - 2)
    chi = mu0 * (chi + 0.5 / (1 + ((relative_ev - 4) / 3) ** 2))
    return np.column_stack([edge_ev + relative_ev, relative_ev - 8.0, k, mu0 + chi, mu0, chi])


def xmu_text(rows: np.ndarray, element: str, *, edge_step_a2: float = EDGE_STEP_A2) -> str:
    """Text of xmu.dat."""
    header = [
        "# written by xanesflow's tests                                    FEFF 9.9.1",
        f"# # Abs   Z={Element(element).Z:2d} Rmt= 1.200 Rnm= 1.300 K  shell",
        "# # Pot 1 Z= 8 Rmt= 1.000 Rnm= 1.100",
        "# FMS rfms= 6.0000",
        f"#  xsedge+ 50, used to normalize mu           {edge_step_a2:.4E}",
        "#  -----------------------------------------------------------------------",
        "#  omega    e    k    mu    mu0     chi     @#",
    ]
    body = [f"{r[0]:12.3f}{r[1]:11.3f}{r[2]:8.3f}" + "".join(f"{v:13.5E}" for v in r[3:]) for r in rows]
    return "\n".join(header + body) + "\n"


def feff_inp(structure: Structure, site: int, element: str) -> str:
    """Text of feff.inp with the cluster around the site."""
    kinds = sorted({s.specie.symbol for s in structure}, key=lambda symbol: Element(symbol).Z)
    lines = [f"TITLE {structure.composition.reduced_formula}", "EDGE K", "S02 0", "COREHOLE RPA", "CONTROL 1 1 1 1 1 1",
             "XANES 4 0.04 0.1", "SCF 7.0 0 100 0.2 3", "FMS 9.0 0", "EXCHANGE 0 0.0 0.0 2", "RPATH -1", "",
             "POTENTIALS", "  *ipot    Z  tag", f"    0  {Element(element).Z}  {element}"]  # fmt: skip
    lines += [f"    {k}  {Element(symbol).Z}  {symbol}" for k, symbol in enumerate(kinds, start=1)]
    lines += [
        "",
        "ATOMS",
        "  *  x  y  z  ipot  atom  distance",
        f"  0.000000  0.000000  0.000000  0  {element}  0.0000",
    ]
    centre = structure[site].coords
    for each in sorted(structure.get_neighbors(structure[site], CLUSTER_RADIUS_A), key=lambda n: n.nn_distance):
        x, y, z = each.coords - centre
        symbol = each.specie.symbol
        lines.append(f"  {x:.6f}  {y:.6f}  {z:.6f}  {kinds.index(symbol) + 1}  {symbol}  {each.nn_distance:.4f}")
    return "\n".join([*lines, "END", ""])


def run_files(structure: Structure, site: int, element: str = "Cu") -> dict[str, bytes]:
    """A good run of one site: content of feff.inp, feff.out and xmu.dat."""
    atoms = len(structure.get_neighbors(structure[site], CLUSTER_RADIUS_A)) + 1
    return {
        "feff.inp": feff_inp(structure, site, element).encode(),
        "feff.out": LOG.format(element=element, atoms=atoms).encode(),
        "xmu.dat": xmu_text(spectrum(structure, site, element), element).encode(),
    }


def poscar(structure: Structure) -> str:
    """Text of POSCAR, in the structure's order of atoms."""
    return structure.to(fmt="poscar")


def write_files(folder: str | Path, files: Mapping[str, bytes | str]) -> None:
    """Write files by their path under `folder`, which is made."""
    for name, content in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def write_run(
    root: str | Path, material: str, structure: Structure, site: int, *, element: str = "Cu", **changed: bytes | None
) -> Path:
    """Write a run and its POSCAR under `root`, as `<element>/<material>/FEFF-XANES/<site>_<element>/...`.

    Args:
        root: folder of the archive.
        material: its id.
        structure: written as POSCAR.
        site: index of the absorber.
        element: its symbol.
        changed: other content for a file, its name written `xmu_dat`; None leaves it out.

    Returns:
        The run's folder.
    """
    files: dict[str, bytes | None] = {**run_files(structure, site, element)}
    files |= {name.replace("_", "."): content for name, content in changed.items()}
    run = Path(root, element, material, "FEFF-XANES", f"{site:03d}_{element}")
    write_files(run, {name: content for name, content in files.items() if content is not None})
    write_files(run.parents[1], {"POSCAR": poscar(structure)})
    return run


def files_of(material: str, structure: Structure, *sites: int, element: str = "Cu") -> dict[str, bytes]:
    """POSCAR and good runs of some sites of a material by their path in an archive."""
    files = {f"{element}/{material}/POSCAR": poscar(structure).encode()}
    for site in sites:
        for name, content in run_files(structure, site, element).items():
            files[f"{element}/{material}/FEFF-XANES/{site:03d}_{element}/{name}"] = content
    return files


def archive_files(element: str = "Cu", materials_number: int = 36, seed: int = 0) -> dict[str, bytes]:
    """All files of an archive by their path; made once, do not change it."""
    return _archive_files(element, materials_number, seed)


@cache
def _archive_files(element: str, materials_number: int, seed: int) -> dict[str, bytes]:
    files = {}
    for material, structure in materials(element, materials_number, seed).items():
        files |= files_of(material, structure, *absorbers(structure, element), element=element)
    return files


def write_archive(folder: str | Path, *, element: str = "Cu", materials: int = 36, seed: int = 0) -> list[str]:
    """Write a whole archive of good runs as a plain folder.

    Args:
        folder: made if it is missing; `<element>/<material id>/...` goes into it.
        element: the absorber.
        materials: how many; 36 have 54 sites.
        seed: of their sizes and partners.

    Returns:
        The ids of all sites, such as `mp-900001_000`, sorted.
    """
    files = archive_files(element, materials, seed)
    write_files(folder, files)
    runs = [path.split("/") for path in files if path.endswith("/xmu.dat")]
    return sorted(f"{parts[1]}_{parts[3].split('_')[0]}" for parts in runs)
