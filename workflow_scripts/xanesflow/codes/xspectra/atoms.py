"""The atoms that pseudopotentials are made of, as inputs of `ld1.x`: O, Ti, V, Cr and Mn, whole and with a hole in 1s.

All are scalar-relativistic, of PBE, ultrasoft with two projectors a channel, and hold what XSpectra reconstructs the
all-electron wave near the nucleus with (GIPAW). Radii are in bohr. Other elements need radii of their own that pass the
tests in `pseudopotentials`, and a test in a solid; until then they are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import listing


@dataclass(frozen=True)
class Atom:
    """The input of an atom."""

    charge: int  # of the nucleus
    filled: str  # the electrons inside the 1s shell's, such as `2s2 2p6 3s2 3p6`
    valence: str  # with its electrons where the atom is neutral; `{d}` takes the electron of the hole
    d_electrons: int  # of the open shell that takes it, in the neutral atom; 0: the atom is never an absorber
    rcloc: float  # radius of the local potential
    rcore: float  # radius inside which the core charge is smooth
    waves: tuple[str, ...]  # the lines of the pseudopotential: `label n l occupation energy rcut rcutus`
    projectors: tuple[str, ...]  # the lines of the reconstruction
    ions: tuple[str, ...]  # valence of two other configurations, for the test of total energies


def _metal(charge: int, *, d: int, s: int, scale: float) -> Atom:
    """Write the input of a 3d metal, whose outer shells are 3s, 3p, 3d and 4s.

    Args:
        charge: of the nucleus.
        d: electrons in 3d.
        s: electrons in 4s.
        scale: of all radii; 1 are titanium's.
    """

    def radii(*of_titanium: float) -> str:
        return " ".join(f"{radius * scale:.2f}" for radius in of_titanium)

    inner, third, outer = radii(0.90, 1.30), radii(1.00, 1.80), radii(1.40, 2.00)
    smooth = radii(1.30, 1.80)
    return Atom(
        charge=charge, filled="2s2 2p6", valence=f"3s2 3p6 4s{s} 4p0 3d{{d}} 5p-1 4d-1", d_electrons=d,
        rcloc=round(1.2 * scale, 2), rcore=round(0.8 * scale, 3),
        waves=(f"3S 1 0 2.00 0.0 {inner}", f"4S 2 0 {s}.00 0.0 {inner}", f"3P 2 1 6.00 0.0 {third}",
               f"4P 3 1 0.00 2.0 {third}", f"3D 3 2 {{d}}.00 0.0 {outer}", f"3D 3 2 -2.0 0.3 {outer}"),
        projectors=(f"3S 1 0 2.00 0.0 {smooth}", f"4S 2 0 {s}.00 0.0 {smooth}", f"3P 2 1 6.00 0.0 {smooth}",
                    f"4P 3 1 0.00 0.0 {smooth}", f"5P 4 1 -1.0 2.0 {smooth}", f"3D 3 2 {{d}}.00 0.0 {outer}",
                    f"4D 4 2 -1.0 0.3 {outer}"),
        ions=(f"3s2 3p6 4s{s - 1} 4p0 3d{{d}}", f"3s2 3p6 4s0 4p{0 if s > 1 else 1} 3d{{d}}"),
    )  # fmt: skip


ATOMS = {
    "O": Atom(
        charge=8, filled="", valence="2s2 2p4", d_electrons=0, rcloc=1.2, rcore=0.6,
        waves=("2S 1 0 2.00 0.0 1.10 1.50", "2S 1 0 -2.0 0.5 1.10 1.50",
               "2P 2 1 4.00 0.0 1.10 1.50", "2P 2 1 -2.0 0.5 1.10 1.50"),
        projectors=("2S 1 0 2.00 0.0 1.10 1.50", "2P 2 1 4.00 0.0 1.10 1.50"),
        ions=("2s2 2p3", "2s1 2p5"),
    ),
    "Ti": _metal(22, d=2, s=2, scale=1.0),
    "V": _metal(23, d=3, s=2, scale=0.97),
    "Cr": _metal(24, d=5, s=1, scale=0.95),
    "Mn": _metal(25, d=5, s=2, scale=0.88),
}  # fmt: skip
"""The atoms that this version has."""

_WITH_HOLE = {"Cr": _metal(24, d=5, s=1, scale=0.91)}  # where the radii of the neutral atom give no good overlap


def known_atom(element: str) -> Atom:
    """Return the input of an element.

    Raises:
        XanesflowError: there is none; says which there are.
    """
    if element not in ATOMS:
        raise XanesflowError(
            f"there is no pseudopotential for {element}: this version makes them for {listing(list(ATOMS))} only"
        )
    return ATOMS[element]


def _atom(element: str, *, hole: bool) -> Atom:
    neutral = known_atom(element)
    return _WITH_HOLE.get(element, neutral) if hole else neutral


def atom_input(element: str, *, hole: bool, name: str) -> str:
    """Write the input of `ld1.x` that makes a pseudopotential.

    Args:
        element: one of `ATOMS`.
        hole: whether 1s holds one electron; the other one is in d.
        name: of the pseudopotential's file.

    Raises:
        XanesflowError: there is no such atom.
    """
    atom = _atom(element, hole=hole)
    d = atom.d_electrons + hole
    return (
        f"{_all_electron(element, atom.valence.format(d=d), hole=hole, switch=3)}"
        f"&inputp\n  pseudotype=3, file_pseudopw='{name}', author='xanesflow'\n"
        f"  lloc=-1, rcloc={atom.rcloc}, tm=.true., nlcc=.true., new_core_ps=.true., rcore={atom.rcore}\n"
        "  which_augfun='AE', lgipaw_reconstruction=.true., use_paw_as_gipaw=.false.\n/\n"
        f"{_lines(atom.waves, d)}&test\n  nconf=1\n/\n{_lines(atom.projectors, d)}"
    )


def ions_input(element: str, *, hole: bool, name: str) -> str:
    """Write the input of `ld1.x` that tests a pseudopotential on the atom and on two ions.

    Args:
        element: one of `ATOMS`.
        hole: as for `atom_input`.
        name: of the pseudopotential's file.
    """
    atom = _atom(element, hole=hole)
    d = atom.d_electrons + hole
    configurations = [each.format(d=d) for each in (atom.valence.split(" 5p")[0], *atom.ions)]
    tests = "".join(f"  configts({k})='{each}'\n" for k, each in enumerate(configurations, start=1))
    return (
        f"{_all_electron(element, configurations[0], hole=hole, switch=2)}"
        f"&test\n  file_pseudo='{name}', nconf={len(configurations)}\n{tests}/\n"
    )


def _all_electron(element: str, valence: str, *, hole: bool, switch: int) -> str:
    atom = ATOMS[element]
    core = f"1s{1 if hole else 2} {atom.filled}".strip()
    return (
        f"&input\n  title='{element}', zed={atom.charge}., rel=1, dft='PBE', iswitch={switch}, beta=0.2\n"
        f"  config='{core} {valence}'\n/\n"
    )


def _lines(lines: tuple[str, ...], d: int) -> str:
    return f"{len(lines)}\n" + "".join(f"{line.format(d=d)}\n" for line in lines)
