"""Read and check a finished run of exciting: a Bethe-Salpeter spectrum of one absorber.

exciting writes the macroscopic dielectric function of each component (OC11, OC22, OC33), in the folder EPSILON or, in
older versions, next to input.xml, at absolute energies in eV from the 1s level of density functional theory. With the
cell's volume it gives the cross section of the one absorber as for VASP, E ε₂ V / (2 Ry · α⁻¹). The mean of the three
components is the average over polarisations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element as XmlElement

import numpy as np
from lxml.etree import XMLParser, XMLSyntaxError, fromstring
from pymatgen.core import Structure

from xanesflow.codes.common_scale import CommonReader, RawSpectrum, check_curve
from xanesflow.codes.crystal_of_run import check_surroundings, check_volume, crystal_of
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.read_text import text_of
from xanesflow.codes.registry import EXCITING
from xanesflow.codes.run_description import RunDescription, check_edge, read_files
from xanesflow.codes.vasp.make_spectrum import cross_section
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import fortran_number, listing, printable
from xanesflow.core.units import BOHR_ANGSTROM, HARTREE_EV

_COMPONENTS = {"11": "x", "22": "y", "33": "z"}
_VERSION = re.compile(r"EXCITING ([A-Z]+) started")
_VOLUME = re.compile(r"Unit cell volume \[au\]=\s*([\d.]+)")
_BROADENING = re.compile(r"Used broadening in scaled energy units:\s*([\d.]+)")
_SCALE = re.compile(r"Energy scale=\s*([\d.]+)")


class ExcitingReader(CommonReader):
    """Reads the runs of a chunk."""

    def read(self, run: FinishedRun, element: str, structure: Structure | None) -> RawSpectrum:
        """As `CommonReader.read`."""
        return check_files(run.files, element=element, structure=structure, site_index=run.site_index)[1]


def recognise(folder: Path, names: list[str]) -> bool:
    """Return whether a folder holds a run of exciting."""
    return "INFOXS.OUT" in names or any(name.startswith("EPSILON_BSE") for name in names)


def check_folder(
    folder: Path, *, element: str | None = None, structure: Structure | None = None, site_index: int = 0
) -> RunDescription:
    """Check the run in a folder.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    files = read_files(folder, EXCITING.files)
    return check_files(files, element=element, structure=structure, site_index=site_index)[0]


def check_files(
    files: Mapping[str, bytes], *, element: str | None, structure: Structure | None = None, site_index: int = 0
) -> tuple[RunDescription, RawSpectrum]:
    """Check a run, say what it is, and read its spectrum.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    found = describe(files)
    check_edge(found, element=element)
    if structure is not None:
        _check_atom(files, structure, site_index)

    # Both parts must have ended well, and the ground state converged.
    info, steps = (text_of(name, files.get(name, b"")) for name in ("INFO.OUT", "INFOXS.OUT"))
    if "Convergence targets achieved" not in info:
        raise BadRunError("not_converged", "INFO.OUT does not say that the ground state converged")
    begun, ended = (len(re.findall(rf"EXCITING [A-Z]+ {word} for task", steps)) for word in ("started", "stopped"))
    if not begun or ended < begun or "Spectrum finished" not in steps:
        raise BadRunError("truncated", "INFOXS.OUT ends before the spectrum was finished")
    return found, _spectrum(files)


def describe_folder(folder: Path) -> RunDescription:
    """Say what the run in a folder is, good or not.

    Raises:
        BadRunError: no file says what it is.
    """
    return describe(read_files(folder, EXCITING.files))


def describe(files: Mapping[str, bytes]) -> RunDescription:
    """Say what a run is, good or not.

    Raises:
        BadRunError: input.xml is missing, or asks for another kind of spectrum.
    """
    asked = _asked(files)
    kind = asked.get("xasspecies", "1")
    try:
        file = str(_input(files).findall(".//structure/species")[int(kind) - 1].get("speciesfile", ""))
    except (IndexError, ValueError):
        raise BadRunError("wrong_absorber", f"input.xml has no species {kind}, which xasspecies names") from None
    texts = [text_of(name, files.get(name, b"")) for name in ("INFOXS.OUT", "INFO.OUT")]
    version = next((match[1].lower() for text in texts if (match := _VERSION.search(text))), "")
    absorber = file.rpartition("/")[2].removesuffix(".xml")
    light = tuple(f"{axis} (OC{each})" for each, axis in _COMPONENTS.items())
    return RunDescription("exciting", version, absorber, asked.get("xasedge", "K"), light)


def _asked(files: Mapping[str, bytes]) -> XmlElement:
    """Return the element of input.xml that asks for an X-ray spectrum."""
    asked = _input(files).find(".//xs/BSE")
    if asked is None or str(asked.get("xas", "false")).lower() != "true":
        raise BadRunError("other_kind_of_spectrum", "input.xml asks for no X-ray absorption (xs/BSE with xas)")
    return asked


def _spectrum(files: Mapping[str, bytes]) -> RawSpectrum:
    """Read the three components and average them.

    Raises:
        BadRunError: no_output, unreadable or not_a_number.
    """
    curves: list[tuple[Floats, Floats]] = []
    width = 0.0
    for component in _COMPONENTS:
        names = sorted(name for name in files if re.search(rf"EPSILON_BSE.*_OC{component}\.OUT$", name))
        if not names:
            raise BadRunError("no_output", f"the component OC{component} of the dielectric function is missing")
        if len(names) > 1:
            raise BadRunError(
                "other_kind_of_spectrum",
                f"there are several spectra of the component OC{component} ({listing(names)}); leave only the one that "
                "is meant",
            )
        text = text_of(names[0], files[names[0]])
        volume, broadening, scale = _VOLUME.search(text), _BROADENING.search(text), _SCALE.search(text)
        if not (volume and broadening and scale):
            raise BadRunError("unreadable", f"{names[0]} does not name volume, broadening and unit of energy")
        unit = float(scale[1])
        if abs(unit - 1) > 1e-3 and abs(unit / HARTREE_EV - 1) > 1e-3:
            raise BadRunError("unreadable", f"{names[0]} has energies in an unknown unit ({unit:g} a Hartree)")
        to_ev = 1.0 if unit > 2 else HARTREE_EV
        try:
            table = np.array([line.split()[:3] for line in text.splitlines() if line.strip() and line[0] != "#"], float)
            energy = table[:, 0] * to_ev
            values = cross_section(energy, table[:, 2], float(volume[1]) * BOHR_ANGSTROM**3)
        except (ValueError, IndexError):
            raise BadRunError("unreadable", f"{names[0]} is no table of energies and dielectric functions") from None
        curves.append(check_curve(energy, values))
        width = 2 * float(broadening[1]) * to_ev
    energy = curves[0][0]
    mean = np.mean([np.interp(energy, *curve) for curve in curves], axis=0)
    return RawSpectrum(energy, mean, width, "the 1s level of density functional theory", "mean of OC11, OC22 and OC33")


def _check_atom(files: Mapping[str, bytes], structure: Structure, site_index: int) -> None:
    """Check that the hole is at the site; without places of atoms in input.xml, by number and volume.

    Raises:
        BadRunError: wrong_absorber or unreadable.
    """
    asked = _asked(files)
    kind, atom = str(asked.get("xasspecies", "1")), str(asked.get("xasatom", "1"))
    symbol = structure[site_index].specie.symbol
    if (crystal := _crystal(files)) is not None and atom.strip().isdecimal():
        # Atoms count within their species.
        before = [len(each.findall("atom")) for each in _input(files).findall(".//structure/species")]
        index = sum(before[: int(kind) - 1]) + int(atom) - 1
        if 0 < int(atom) <= before[int(kind) - 1]:
            return check_surroundings(crystal, index, structure, site_index)
    number = structure.indices_from_symbol(symbol).index(site_index) + 1
    if str(number) != atom.strip():
        raise BadRunError(
            "wrong_absorber",
            f"input.xml has the hole in {symbol} {printable(atom, 20)}, and site {site_index} is {symbol} {number}",
        )
    for name, content in files.items():
        if name.endswith("_OC11.OUT") and (volume := _VOLUME.search(text_of(name, content))):
            check_volume(float(volume[1]) * BOHR_ANGSTROM**3, structure)
    return None


def _crystal(files: Mapping[str, bytes]) -> Structure | None:
    """Return the crystal of input.xml; None if it does not give the cell and the place of an atom.

    Raises:
        BadRunError: unreadable.
    """
    if (given := _input(files).find("structure")) is None:
        return None
    crystal, vectors = given.find("crystal"), given.findall("crystal/basevect")
    atoms = [
        (re.split(r"[._]", str(kind.get("speciesfile")))[0], _floats(atom.get("coord")))
        for kind in given.findall("species")
        for atom in kind.findall("atom")
    ]
    if crystal is None or not atoms:
        return None
    stretch = _floats(crystal.get("stretch", "1 1 1")) * float(crystal.get("scale", "1")) * BOHR_ANGSTROM
    cell = np.array([_floats(each.text) for each in vectors]) * stretch[:, None]
    cartesian = str(given.get("cartesian", "false")).strip() == "true"
    places = np.array([place for _, place in atoms]) * (BOHR_ANGSTROM if cartesian else 1)
    return crystal_of(cell, [symbol for symbol, _ in atoms], places, cartesian=cartesian)


def _floats(text: str | None) -> Floats:
    return np.array([fortran_number(word) for word in (text or "").split()])


def _input(files: Mapping[str, bytes]) -> XmlElement:
    if "input.xml" not in files:
        raise BadRunError("no_output", "there is no input.xml, so nothing says which edge was computed")
    try:
        return fromstring(files["input.xml"], XMLParser(resolve_entities=False, no_network=True))
    except XMLSyntaxError as error:
        raise BadRunError("unreadable", f"input.xml is no XML ({error.msg})") from None
