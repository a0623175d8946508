"""Read and check a finished run of OCEAN: Bethe-Salpeter spectra of one or several absorbers of a cell.

OCEAN writes a file for each absorber and photon, `absspct_Ti.0001_1s_01` (the number counts the atoms of the element),
or a single `absspct*` in older examples, in CNBSE or where the user put it. Its second column is the imaginary part of
the dielectric function with electron and hole interacting; the third is without. OCEAN 3 adds four columns of cross
sections, but not where it broadens by a Gaussian, so five columns do not tell the version. Energies are relative to an
edge of its own, or absolute where OCEAN was given the edge (`ebase` of its last step). With the cell's volume (in the
file's header since OCEAN 3, else from the input) it gives the cross section of an absorber as for VASP. The cross
section that OCEAN 3 writes itself (sixth and seventh column) is not read: OCEAN multiplies by the energy of the first
column, which mostly is not that of the photon. A photon's file says its polarisation; dipole photons are averaged,
those with quadrupole terms (`quad`) only if there are no others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.common_scale import CommonReader, RawSpectrum, check_curve, tabulated_jump
from xanesflow.codes.crystal_of_run import atoms_of_site, check_volume, rotations_in_run
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.ocean.read_input import OceanInput, Photon, read_input
from xanesflow.codes.polarisations import inequivalent_atoms, site_rotations, weights_of
from xanesflow.codes.read_text import text_of
from xanesflow.codes.registry import OCEAN
from xanesflow.codes.run_description import RunDescription, check_edge, read_files
from xanesflow.codes.vasp.make_spectrum import cross_section
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import listing, plural
from xanesflow.core.units import BOHR_ANGSTROM, HARTREE_EV

_NAME = re.compile(r"(?:.*/)?absspct_(?P<element>[A-Z][a-z]?)\.(?P<number>\d+)_(?P<level>\d[spd])_(?P<photon>\d+)$")
_VOLUME = re.compile(r"vol=\s*([\d.Ee+-]+)")
_WIDTH = re.compile(r"gam=\s*([\d.Ee+-]+)")
_COLUMNS = {5: "2, or 3 with Gaussian broadening", 9: "3"}  # version of OCEAN by the columns of its table
_BOHR3 = BOHR_ANGSTROM**3  # in Å³
_ABSOLUTE = 0.5  # part of the tabulated edge above which all energies lie if they are absolute


@dataclass(frozen=True)
class _Spectrum:
    """One file: absorber (None: not named), photon, version, energies, Im ε, and the volume if its header has it."""

    name: str
    element: str | None
    atom: int
    level: str | None
    photon: int
    version: str
    energy_ev: Floats
    epsilon2: Floats
    half_width_ev: float
    volume: float | None


class OceanReader(CommonReader):
    """Reads the runs of a chunk; a run holds all sites of its material."""

    def read(self, run: FinishedRun, element: str, structure: Structure | None) -> RawSpectrum:
        """As `CommonReader.read`."""
        _, spectra, given = check_files(run.files, element=element)
        return average(spectra, given, element, structure, run.site_index)


def recognise(folder: Path, names: list[str]) -> bool:
    """Return whether a folder holds a run of OCEAN."""
    return any(name.startswith("absspct") for name in names) or any((folder / "CNBSE").glob("absspct*"))


def check_folder(
    folder: Path, *, element: str | None = None, structure: Structure | None = None, site_index: int = 0
) -> RunDescription:
    """Check the run in a folder.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    found, _, given = check_files(read_files(folder, OCEAN.files), element=element)
    if structure is not None and given.crystal is not None and element is not None:
        atoms_of_site(given.crystal, structure, structure.indices_from_symbol(element)[0])
    return found


def check_files(
    files: Mapping[str, bytes], *, element: str | None
) -> tuple[RunDescription, list[_Spectrum], OceanInput]:
    """Check a run, say what it is, and read its spectra.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    given, spectra = read_input(files), _spectra(files)
    found = describe(spectra, given)
    check_edge(found, element=None)
    absorbers = found.absorber.split(", ")
    photons = sorted({each.photon for each in spectra})
    if element and element not in absorbers:
        raise BadRunError("wrong_absorber", f"the absorber is {found.absorber}, not {element}")
    if all(each.element for each in spectra):
        for atom in {(each.element, each.atom) for each in spectra}:
            have = {each.photon for each in spectra if (each.element, each.atom) == atom}
            if missing := sorted({*photons, *given.photons} - have):
                raise BadRunError("no_output", f"the spectrum of photon {missing[0]} is missing at {atom[0]} {atom[1]}")
    return found, spectra, given


def describe_folder(folder: Path) -> RunDescription:
    """Say what the run in a folder is, good or not.

    Raises:
        BadRunError: no file says what it is.
    """
    files = read_files(folder, OCEAN.files)
    return describe(_spectra(files), read_input(files))


def describe(spectra: list[_Spectrum], given: OceanInput) -> RunDescription:
    """Say what a run is.

    Raises:
        BadRunError: wrong_absorber, if nothing says which edge was computed.
    """
    absorbers = {each.element for each in spectra if each.element} or set(given.absorbers)
    levels = {each.level for each in spectra if each.level} or set(given.levels)
    if not absorbers or not levels:
        raise BadRunError("wrong_absorber", "neither an input nor the names of the spectra say which edge was computed")
    edge = "K" if levels == {"1s"} else ", ".join(sorted(levels - {"1s"}))
    photons = tuple(f"{_photon(given, n).text} (photon {n})" for n in sorted({each.photon for each in spectra}))
    remarks = [] if given.found else ["there is no input here; the names of the spectra say what they are"]
    if given.gaussian_ev:
        remarks.append(
            f"OCEAN broadened by a Gaussian of {given.gaussian_ev:g} eV (gauss_broaden) besides; it does not count in "
            "the common width, and moves OCEAN's energies up"
        )
    return RunDescription("OCEAN", spectra[0].version, ", ".join(sorted(absorbers)), edge, photons, tuple(remarks))


def average(
    spectra: list[_Spectrum], given: OceanInput, element: str, structure: Structure | None, site_index: int
) -> RawSpectrum:
    """Average the spectra of a site over photons, as a cross section in bohr².

    Raises:
        BadRunError: the site was not computed; its photons do not give the average; the cell's volume is not known.
    """
    numbers = [spectra[0].atom] if structure is None else _numbers_of_site(given, element, structure, site_index)
    computed = {each.atom for each in spectra if each.element in (None, element)}
    atom = next((number for number in numbers if number in computed), numbers[0])
    mine = [each for each in spectra if each.element in (None, element) and each.atom in (0, atom)]
    if not mine:
        raise BadRunError("no_output", f"OCEAN did not compute {element} {atom}, which is site {site_index}")
    _check_named(mine, given, structure, element)
    dipole = [each for each in mine if _photon(given, each.photon).operator != "quad"]
    mine = dipole or mine
    volume = mine[0].volume or given.volume or (structure.volume / _BOHR3 if structure is not None else None)
    if volume is None:
        raise BadRunError("no_output", "the volume of the cell stands neither in the spectrum nor in an input")
    directions = [_photon(given, each.photon).direction for each in mine]
    weights: Floats | None = np.full(len(mine), 1 / len(mine))
    if structure is not None:
        if given.crystal is None:
            check_volume(volume * _BOHR3, structure)
            rotations = site_rotations(structure, site_index)
        else:
            rotations = rotations_in_run(given.crystal, given.crystal.indices_from_symbol(element)[atom - 1])
        weights = weights_of(directions, rotations)
    if weights is None:
        raise BadRunError(
            "other_kind_of_spectrum",
            f"photons are missing: {', '.join(_photon(given, each.photon).text for each in mine)} do not give the "
            "average at this site by its symmetry",
        )
    # The photon's energy counts in the cross section; the code's own energies are mostly relative to its edge.
    edge, _ = tabulated_jump(element)
    energy = mine[0].energy_ev
    absolute = bool(energy[0] > _ABSOLUTE * edge)
    photon_ev = energy if absolute else edge + energy
    epsilon = sum(w * np.interp(energy, s.energy_ev, s.epsilon2) for w, s in zip(weights, mine, strict=True))
    values = cross_section(photon_ev, np.asarray(epsilon), volume * _BOHR3)
    kind = "dipole photons" if dipole else "photons with quadrupole terms"
    how = f"{len(mine)} {kind} averaged by the symmetry of the site"
    zero = "the edge that OCEAN was given" if absolute else "an edge of OCEAN's own"
    return RawSpectrum(energy, values, 2 * mine[0].half_width_ev, zero, how)


def _numbers_of_site(given: OceanInput, element: str, structure: Structure, site_index: int) -> list[int]:
    """Return the numbers of a site's equivalent atoms among those of the element, as OCEAN counts them.

    Raises:
        BadRunError: wrong_absorber, if the input's crystal has no such site.
    """
    if given.crystal is None:
        return [structure.indices_from_symbol(element).index(site_index) + 1]
    alike = given.crystal.indices_from_symbol(element)
    return [alike.index(atom) + 1 for atom in atoms_of_site(given.crystal, structure, site_index)]


def _check_named(mine: list[_Spectrum], given: OceanInput, structure: Structure | None, element: str) -> None:
    """Check that a spectrum whose name says no atom, or whose number has no place, can only be of one.

    Raises:
        BadRunError: wrong_absorber, if the crystal has several inequivalent absorbers; other_kind_of_spectrum, if there
            are several such spectra.
    """
    unnamed = [each.name for each in mine if each.element is None]
    if len(unnamed) > 1:
        raise BadRunError(
            "other_kind_of_spectrum",
            f"the names of {listing(unnamed)} do not say atom and photon; leave only the one that is meant",
        )
    if unnamed and structure is not None and (kinds := inequivalent_atoms(structure, element)) > 1:
        raise BadRunError(
            "wrong_absorber",
            f"the name of {unnamed[0]} does not say which atom it is of, and {kinds} atoms of {element} differ; name "
            f"it as OCEAN does, such as absspct_{element}.0001_1s_01",
        )
    if given.crystal is None and structure is not None and (kinds := inequivalent_atoms(structure, element)) > 1:
        raise BadRunError(
            "wrong_absorber",
            f"no input of OCEAN says where its atoms are (acell, rprim, typat, xred), and {kinds} atoms of {element} "
            f"differ, so which one {mine[0].name} is of is not known; add ocean.in",
        )


def _spectra(files: Mapping[str, bytes]) -> list[_Spectrum]:
    names = sorted(name for name in files if name.rpartition("/")[2].startswith("absspct"))
    if not names:
        raise BadRunError("no_output", "OCEAN left no spectrum (absspct_<element>.<number>_1s_<photon>)")
    return [_read(name, files[name]) for name in names]


def _read(name: str, content: bytes) -> _Spectrum:
    """Read a spectrum; OCEAN 2 writes five columns, OCEAN 3 nine.

    Raises:
        BadRunError: unreadable, truncated, not_a_number or all_zero.
    """
    text = text_of(name, content)
    head = "\n".join(line for line in text.splitlines()[:4] if "#" in line)
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not rows:
        raise BadRunError("no_output", f"{name} is empty")
    if len(rows[0]) not in _COLUMNS:
        raise BadRunError("unreadable", f"{name} has {plural(len(rows[0]), 'column')}, where OCEAN writes 5 or 9")
    if (width := _WIDTH.search(head)) is None:
        raise BadRunError("unreadable", f"the header of {name} does not name the width of its Lorentzian (gam=)")
    if len(rows[-1]) < len(rows[0]):
        raise BadRunError("truncated", f"{name} ends in the middle of a row")
    try:
        table = np.array([row[:2] for row in rows], dtype=float)
    except ValueError:
        raise BadRunError("unreadable", f"{name} is no table of energies and spectra") from None
    energy, values = check_curve(table[:, 0], table[:, 1])
    match, volume = _NAME.fullmatch(name), _VOLUME.search(head)
    return _Spectrum(
        name, match["element"] if match else None, int(match["number"]) if match else 0,
        match["level"] if match else None, int(match["photon"]) if match else 1, _COLUMNS[len(rows[0])],
        energy, values, float(width[1]) * HARTREE_EV,
        float(volume[1]) if volume else None,
    )  # fmt: skip


def _photon(given: OceanInput, number: int) -> Photon:
    return given.photons.get(number, Photon("dipole", (1.0, 0.0, 0.0), "direction unknown"))
