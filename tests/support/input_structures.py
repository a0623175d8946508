"""Well-known crystals for the tests of input files."""

from pymatgen.core import Lattice, Structure


def cuprite() -> Structure:
    """Cu2O: four Cu, two O."""
    return Structure.from_spacegroup("Pn-3m", Lattice.cubic(4.27), ["Cu", "O"], [[0.25, 0.25, 0.25], [0, 0, 0]])


def rutile() -> Structure:
    """TiO2: two Ti, four O."""
    cell = Lattice.tetragonal(4.594, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", cell, ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])


def anatase_backwards() -> Structure:
    """TiO2, eight O before four Ti, so that an index in the cell is none among the Ti."""
    cell = Lattice.tetragonal(3.7842, 9.5146)
    whole = Structure.from_spacegroup("I4_1/amd", cell, ["Ti", "O"], [[0, 0, 0], [0, 0, 0.2081]])
    return Structure(whole.lattice, [site.specie for site in whole][::-1], whole.frac_coords[::-1])
