"""A finished run of another code must be of the crystal and site in whose folder it lies."""

import made_up_runs as made_up
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from sentences import tells
from shared_data import shared

from xanesflow.codes.common_scale import CommonProcessing
from xanesflow.codes.crystal_of_run import rotations_in_run
from xanesflow.codes.exciting.read_run import ExcitingReader
from xanesflow.codes.fdmnes.read_run import FdmnesReader
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.ocean.read_run import OceanReader
from xanesflow.codes.polarisations import site_rotations
from xanesflow.codes.xspectra.read_run import XspectraReader
from xanesflow.core.errors import BadRunError

WIDTH = 0.89
BOHR_A = made_up.BOHR_A


def rows(values):
    return "\n".join(" ".join(f"{value:.8f}" for value in row) for row in np.asarray(values))


def of_ocean(crystal):
    files = made_up.ocean(WIDTH)
    kinds = "".join(f"{1 if site.specie.symbol == 'Ti' else 2} " for site in crystal)
    files["ocean.in"] = (
        f"znucl {{ 22 8 }}\ntypat {{ {kinds} }}\nedges {{ -22 1 0 }}\nacell {{ 3*{1 / BOHR_A} }}\n"
        f"rprim {{ {rows(crystal.lattice.matrix)} }}\nxred {{ {rows(crystal.frac_coords)} }}\n"
    )
    return files


def of_exciting(crystal, atom=1):
    files = made_up.exciting(WIDTH, atom=atom)
    vectors = "".join(f"<basevect>{row}</basevect>" for row in rows(crystal.lattice.matrix).split("\n"))
    for symbol in ("Ti", "O"):
        at = rows(crystal.frac_coords[list(crystal.indices_from_symbol(symbol))]).split("\n")
        atoms = "".join(f'<atom coord="{place}"/>' for place in at)
        old, new = f'<species speciesfile="{symbol}.xml"/>', f'<species speciesfile="{symbol}.xml">{atoms}</species>'
        files["input.xml"] = files["input.xml"].replace(old, new)
    cell = f'<structure><crystal scale="{1 / BOHR_A}">{vectors}</crystal>'
    return files | {"input.xml": files["input.xml"].replace("<structure>", cell)}


def of_xspectra(crystal, axes=("1.0 0.0 0.0", "0.0 1.0 0.0", "0.0 0.0 1.0")):
    files = made_up.xspectra(WIDTH, axes=axes)
    atoms = "".join(
        f"      {k + 1:4d}           {'Ti+' if k == 0 else site.specie.symbol:4s}tau({k + 1:4d}) = ( "
        f"{site.x / 4:11.7f} {site.y / 4:11.7f} {site.z / 4:11.7f}  )\n"
        for k, site in enumerate(crystal)
    )
    vectors = "".join(
        f"               a({k}) = ( {x / 4:10.6f} {y / 4:10.6f} {z / 4:10.6f} )  \n"
        for k, (x, y, z) in enumerate(crystal.lattice.matrix, start=1)
    )
    printed = (
        f"     lattice parameter (alat)  =  {4 / BOHR_A:11.6f}  a.u.\n{vectors}"
        "     atomic species   valence    mass     pseudopotential\n"
        "        Ti+           12.00    47.86700     Ti( 1.00)\n        Ti            12.00    47.86700     Ti( 1.00)\n"
        "        O              6.00    15.99900     O ( 1.00)\n\n"
        f"     site n.     atom                  positions (alat units)\n{atoms}\n"
    )
    return {
        name: text.replace("        ! k-point", f"{printed}        ! k-point") if name.endswith("xanes.out") else text
        for name, text in files.items()
    }


def of_fdmnes(crystal):
    files = made_up.fdmnes(WIDTH)
    atoms = "".join(f"   {site.specie.Z:2d}{site.a:15.10f}{site.b:15.10f}{site.c:15.10f}   1\n" for site in crystal)
    cell = "  a, b, c = {:11.7f} {:11.7f} {:11.7f}\n  alfa, beta, gamma = {:8.3f} {:8.3f} {:8.3f}\n".format(
        *crystal.lattice.parameters
    )
    log = f" Crystal,  n_atom_uc = {len(crystal):4d}\n {cell}    Z         x              y              z\n{atoms}\n"
    return files | {"Ti_bav.txt": log + files["Ti_bav.txt"]}


CODES = {
    "ocean": (OceanReader, of_ocean),
    "exciting": (ExcitingReader, of_exciting),
    "xspectra": (XspectraReader, of_xspectra),
    "fdmnes": (FdmnesReader, of_fdmnes),
}


def read(code, files, structure, site):
    reader = CODES[code][0](CommonProcessing(f"curation.{code}", "Ti", WIDTH, 0.0))
    run = FinishedRun("mp-1", site, {name: text.encode() for name, text in files.items()})
    return reader(run, None, element="Ti", structure=structure)


def titanate():
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(3.905), ["Sr", "Ti", "O", "O", "O"], places)


def along_x(crystal):
    """The crystal turned so that its c axis lies along x."""
    return Structure(Lattice(crystal.lattice.matrix[:, [2, 0, 1]]), crystal.species, crystal.frac_coords)


@pytest.mark.parametrize("code", CODES)
def test_a_run_of_rutile_is_taken_for_rutile_in_any_frame_and_not_for_strontium_titanate(code):
    files = CODES[code][1](made_up.rutile())
    assert read(code, files, made_up.rutile(), 0).cross_section.max() > 0
    other = Structure.from_sites([along_x(made_up.rutile())[k] for k in (5, 1, 3, 0, 2, 4)])
    assert read(code, files, other, 1).cross_section.max() > 0
    with tells(match="around", reason="wrong_absorber", error=BadRunError):
        read(code, files, titanate(), 1)


@pytest.mark.parametrize("code", ["ocean", "exciting"])
def test_where_only_the_volume_is_known_it_is_that_of_poscar(code):
    files = {"ocean": made_up.ocean, "exciting": made_up.exciting}[code](WIDTH)
    with tells(match="cell of the run has 62.4 Å³", reason="wrong_absorber", error=BadRunError):
        read(code, files, titanate(), 1)


@pytest.mark.parametrize("code", ["ocean", "exciting"])
def test_which_atom_a_spectrum_is_of_comes_from_its_place_and_not_from_its_number(code):
    """A cell of two titanium atoms that differ, which POSCAR lists in the other order."""
    places = [[0, 0, 0], [0, 0, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.25]]
    run = Structure(Lattice.orthorhombic(4, 4, 8), ["Ti"] * 2 + ["O"] * 3, places)
    poscar = Structure.from_sites([run[k] for k in (1, 0, 2, 3, 4)])
    if code == "exciting":
        assert read(code, of_exciting(run, atom=2), poscar, 0).cross_section.max() > 0
        with tells(match="around site 0 of POSCAR", reason="wrong_absorber", error=BadRunError):
            read(code, of_exciting(run, atom=1), poscar, 0)
        return
    files = of_ocean(run)
    for name in [name for name in files if "Ti.0002" in name]:  # twice as large, to tell it from the other
        lines = [line.split(" ") for line in files[name].splitlines()]
        doubled = [words if "#" in words[0] else [words[0], str(2 * float(words[1])), *words[2:]] for words in lines]
        files[name] = "\n".join(" ".join(words) for words in doubled)
    first, second = (read(code, files, poscar, site).cross_section.max() for site in (0, 1))
    assert first == pytest.approx(2 * second, rel=1e-4)
    files["ocean.in"] = made_up.ocean(WIDTH)["ocean.in"]
    with tells(match="2 atoms of Ti differ, so which one", reason="wrong_absorber", error=BadRunError):
        read(code, files, poscar, 0)


def test_polarisations_count_by_the_symmetry_of_the_site_in_the_frame_of_the_run():
    """With c along x in the run, the light along x counts a third, whatever the frame of POSCAR is."""
    turned = along_x(made_up.rutile())
    files = of_xspectra(turned, axes=("1.0 0.0 0.0", "0.0 1.0 0.0"))
    assert "0.333 of 1 0 0, 0.667 of 0 1 0" in read("xspectra", files, made_up.rutile(), 0).steps
    files = made_up.ocean(WIDTH, photons=2) | {"ocean.in": of_ocean(turned)["ocean.in"]}
    assert read("ocean", files, made_up.rutile(), 0).cross_section.max() > 0
    files = of_xspectra(turned)
    files["dipole2/xanes.out"] = of_xspectra(made_up.rutile())["dipole2/xanes.out"]
    with tells(match="dipole2/xanes.out has another cell or absorber", reason="wrong_absorber", error=BadRunError):
        read("xspectra", files, made_up.rutile(), 0)


def test_a_supercell_of_any_shape_has_the_rotations_of_the_crystal():
    turned = along_x(made_up.rutile())
    turned.lattice = Lattice(turned.lattice.matrix @ np.linalg.qr(np.arange(9).reshape(3, 3) ** 2 + np.eye(3))[0])
    wanted = site_rotations(turned, 1)
    repeated = turned * [[1, 1, 0], [0, 2, 1], [0, 0, 1]]
    apart = turned.lattice.get_fractional_coords(repeated.cart_coords) - turned[1].frac_coords
    index = int(np.abs(apart - np.round(apart)).max(axis=1).argmin())
    found = rotations_in_run(repeated, index)
    assert len(found) == len(wanted) == 8
    assert all(any(np.allclose(one, other, atol=1e-5) for other in wanted) for one in found)


def test_a_real_run_of_fdmnes_is_of_its_crystal_and_no_other():
    files = {path.name: path.read_text() for path in shared("codes/fdmnes/rutile").glob("*.txt")}
    assert read("fdmnes", files, made_up.rutile(), 1).cross_section.max() > 0
    with tells(match="no Ti of the run has the atoms around it", reason="wrong_absorber", error=BadRunError):
        read("fdmnes", files, titanate(), 1)
