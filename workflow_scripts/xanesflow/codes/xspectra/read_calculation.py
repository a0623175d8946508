"""Read one calculation of XSpectra: the text that it printed, and the spectrum that it wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure
from xraydb import xray_edge

from xanesflow.codes.crystal_of_run import crystal_of
from xanesflow.codes.read_text import text_of
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import plural
from xanesflow.core.units import BOHR_ANGSTROM

_VERSION = re.compile(r"Program XSpectra\s+v\.?\s*(\S+)")
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[EeDd][-+]?\d+)?"
_POLARISATION = re.compile(rf"xepsilon\s*\[(crystal|cart)\w* coordinates\]:\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})")
_AXIS = re.compile(rf"a\([123]\) = \(\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*\)")
_LATTICE = re.compile(rf"lattice parameter \(alat\)\s*=\s*({_NUMBER})\s*a\.u\.")
_LABEL = re.compile(r"^ +(\S{1,9}) +[\d.]+ +[\d.]+ +([A-Z][a-z]?) {0,2}\( 1\.0+\)", re.MULTILINE)
_PLACE = re.compile(rf"^ +\d+ +(\S{{1,9}}) +tau\( *\d+\) = \( +({_NUMBER}) +({_NUMBER}) +({_NUMBER}) +\)", re.MULTILINE)
# Not the list in crystal coordinates.
_LIST = re.compile(r"positions \((?:alat|a_0) units\).*?(?:\n[^\S\n]*\n|\Z)", re.DOTALL)
_SPECIES = re.compile(r"PseudoPot\. #\s*(\d+) for\s+([A-Z][a-z]?)\s")
_CORE_EV = re.compile(rf"Core level energy \[eV\]:\s*({_NUMBER})")
_ASKED = re.compile(r"^[^\S\n]*edge\s*=\s*['\"]\s*(\w+)", re.MULTILINE | re.IGNORECASE)
_HEAD_OF_DATA = re.compile(r"^#.{0,200}?(xiabs|[Bb]roadening).{0,200}?:\s*([-+.\dEe]+)", re.MULTILINE)
_ENERGY_ZERO = re.compile(rf"(?:energy-zero of the spectrum|xe0) \[eV\]:\s*({_NUMBER})")
_SAME_LEVEL = 0.02  # part by which tables of 1s levels differ
_SHOWN = 4096  # characters that name the program

END = "END JOB XSpectra"


@dataclass(frozen=True)
class Calculation:
    """One calculation, of one polarisation."""

    name: str  # of its output, relative to the run's folder
    version: str  # of XSpectra
    absorber: str  # symbol of the element; empty: the files do not say
    edge: str  # such as `K`
    direction: tuple[float, float, float]  # (3,) of the light, Cartesian, of unit length
    polarisation: str  # the direction as the input gives it
    crystal: Structure | None  # mostly a supercell, in the frame of `direction`; None: the output does not say
    hole: tuple[int, ...]  # 0-based indices of the absorbers into it
    half_width_ev: float | None  # half width of the Lorentzian; None: not constant
    energy_zero_ev: float | None  # in the band structure, from which energies count; None: the output does not say
    fault: str  # why it cannot be used; empty: it can
    reason: str  # of the fault, one of `xanesflow.core.reasons.REASONS`
    energy_ev: Floats  # (n,) relative to `energy_zero_ev`
    cross_section: Floats  # (n,) in bohr²


def is_output(content: bytes) -> bool:
    """Return whether a file is what XSpectra prints."""
    return b"Program XSpectra" in content[:_SHOWN]


def read_calculation(name: str, files: Mapping[str, bytes]) -> Calculation:
    """Read a calculation, and check that it ended and converged.

    Args:
        name: of its output, such as `dipole1/xanes.out`.
        files: of the run, by name.

    Raises:
        BadRunError: unreadable.
    """
    text = text_of(name, files[name])
    stem = name.removesuffix(".out")
    folder = name.rpartition("/")[0]
    data_names = [f"{stem}.dat", f"{folder}/xanes.dat".lstrip("/")]
    data_name = next((each for each in data_names if each in files), "")
    data = text_of(data_name, files[data_name]) if data_name else ""
    asked = text_of(f"{stem}.in", files.get(f"{stem}.in", b""))
    heads = {key.lower(): value for key, value in _HEAD_OF_DATA.findall(data)}
    kind = int(heads.get("xiabs", _of_input(asked, "xiabs") or 1))
    absorber = {int(number): symbol for number, symbol in _SPECIES.findall(text)}.get(kind, "")
    fault, reason = _fault(text, data)
    energy, values = (np.empty(0), np.empty(0)) if fault else _curve(data_name, data)
    zero = _ENERGY_ZERO.search(text)
    width = heads.get("broadening")
    direction, shown = _direction(text)
    crystal, hole = _crystal(text, kind)
    return Calculation(
        name, _first(_VERSION, text), absorber, _edge(text, asked, absorber), direction, shown, crystal, hole,
        float(width) if width else None, float(zero[1]) if zero else None, fault, reason, energy, values,
    )  # fmt: skip


def _fault(text: str, data: str) -> tuple[str, str]:
    """Return what is wrong with a calculation, and its reason; empty if nothing is."""
    if re.search(r"\bNaN\b", text):
        return "XSpectra printed NaN, as a pseudopotential with an indefinite overlap makes it", "not_a_number"
    if END not in text:
        limit = "Calculation not finished" in text
        return f"XSpectra stopped {'at its time limit' if limit else 'before its end'}", "truncated"
    if failed := re.search(r"not\s+converged", text, re.IGNORECASE):
        return f"the Lanczos recursion did not converge ({failed[0]})", "not_converged"
    points, good = len(re.findall(r"! k-point #", text)), len(re.findall(r"=> CONVERGED at iter", text))
    if points and good < points:
        return f"the Lanczos recursion converged at {good} of {plural(points, 'k-point')}", "not_converged"
    if not data.strip():
        return "the spectrum (xanes.dat) is missing or empty", "no_output"
    return "", ""


def _curve(name: str, data: str) -> tuple[Floats, Floats]:
    """Read energies and the total cross section; spin-polarised runs have two columns more, for each spin."""
    try:
        rows = [list(map(float, line.split())) for line in data.splitlines() if line.strip() and line[0] != "#"]
        table = np.array(rows)
        return table[:, 0], table[:, 1]
    except (ValueError, IndexError):
        raise BadRunError("unreadable", f"{name} is no table of energies and cross sections") from None


def _edge(text: str, asked: str, absorber: str) -> str:
    """Return the edge: what the input asks for, unless the core level that XSpectra used is another one."""
    edge = _first(_ASKED, asked).upper() or "K"
    level = _CORE_EV.search(text)
    if edge == "K" and level and absorber:
        energy, tabulated = -float(level[1]), float(xray_edge(absorber, "K").energy)
        if abs(energy / tabulated - 1) > _SAME_LEVEL:
            return f"({energy:g} eV)"
    return edge


def _direction(text: str) -> tuple[tuple[float, float, float], str]:
    """Return the light's direction, Cartesian and of unit length, and as it was given."""
    match = _POLARISATION.search(text)
    if match is None:
        return (1.0, 0.0, 0.0), "?"
    vector = np.array([float(match[k]) for k in (2, 3, 4)])
    shown = " ".join(f"{value:g}" for value in vector)
    axes = _AXIS.findall(text)[:3]
    if match[1] == "crystal" and len(axes) == 3:
        vector = vector @ np.array(axes, dtype=float)
        shown += " (crystal axes)"
    vector = vector / np.linalg.norm(vector)
    return (float(vector[0]), float(vector[1]), float(vector[2])), shown


def _crystal(text: str, kind: int) -> tuple[Structure | None, tuple[int, ...]]:
    """Return the crystal that XSpectra printed and the indices of the atoms of a species, counted from 1.

    Raises:
        BadRunError: unreadable.
    """
    unit, axes, labels = _LATTICE.search(text), _AXIS.findall(text)[:3], _LABEL.findall(text)
    symbol_of = dict(labels)
    places = _PLACE.findall(listed[0]) if (listed := _LIST.search(text)) else []
    known = places and all(place[0] in symbol_of for place in places)
    if unit is None or len(axes) < 3 or not known or not 0 < kind <= len(labels):
        return None, ()
    alat = float(unit[1]) * BOHR_ANGSTROM
    coordinates = np.array([place[1:] for place in places], dtype=float) * alat
    symbols = [symbol_of[place[0]] for place in places]
    hole = tuple(k for k, place in enumerate(places) if place[0] == labels[kind - 1][0])
    if not hole:
        return None, ()
    return crystal_of(np.array(axes, dtype=float) * alat, symbols, coordinates, cartesian=True), hole


def _of_input(text: str, key: str) -> str:
    match = re.search(rf"\b{key}\s*=\s*([^,\s/]+)", text, re.IGNORECASE)
    return match[1] if match else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
