"""Read what OCEAN was asked for: its input (`ocean.in` or another `*.in`), and the files of its photons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Element, Structure

from xanesflow.codes.crystal_of_run import crystal_of
from xanesflow.codes.read_text import text_of
from xanesflow.core import limits
from xanesflow.core.array_types import Floats
from xanesflow.core.units import BOHR_ANGSTROM

_LEVELS = "spdf"
_OPERATORS = {"dipole": "", "quad": " with quadrupole terms"}
_EDGE_WORDS = 3  # atom or minus the atomic number, n, l


@dataclass(frozen=True)
class Photon:
    """One photon: operator (dipole, quad), Cartesian direction, and both in words."""

    operator: str
    direction: tuple[float, float, float]
    text: str


@dataclass(frozen=True)
class OceanInput:
    """What was asked for."""

    found: bool  # whether there is an input
    absorbers: tuple[str, ...]  # symbols of the elements whose edge is computed
    levels: tuple[str, ...]  # of the holes, such as `1s`
    volume: float | None  # of the cell in bohr³; None: the input does not say
    crystal: Structure | None  # in the frame of the photons' directions; None: the input does not say
    photons: dict[int, Photon]  # by number
    gaussian_ev: float = 0.0  # `bse.core.gauss_broaden` of OCEAN 3; 0: none


def read_input(files: Mapping[str, bytes]) -> OceanInput:
    """Read input and photons among the files of a run.

    Raises:
        BadRunError: unreadable.
    """
    photons = {}
    for name, content in files.items():
        if match := re.fullmatch(r"(?:.*/)?photon(\d+)", name):
            photons[int(match[1])] = _photon(text_of(name, content))
    names = sorted(name for name in files if name.endswith(".in") and b"edges" in files[name])
    if not names:
        return OceanInput(False, (), (), None, None, photons)
    text = re.sub(r"#.*", "", text_of(names[0], files[names[0]]))
    numbers = {key: _numbers(text, key) for key in ("acell", "rprim", "znucl", "typat", "xred", "edges")}
    absorbers, levels = set(), set()
    edges = numbers["edges"]
    for k in range(0, len(edges) - _EDGE_WORDS + 1, _EDGE_WORDS):
        atom, n, momentum = (int(value) for value in edges[k : k + _EDGE_WORDS])
        kinds, kind_of = numbers["znucl"], numbers["typat"]
        if atom < 0:
            number = -atom
        elif atom <= len(kind_of) and int(kind_of[atom - 1]) <= len(kinds):
            number = int(kinds[int(kind_of[atom - 1]) - 1])
        else:
            number = 0
        if 0 < number < 119:
            absorbers.add(Element.from_Z(number).symbol)
        levels.add(f"{n}{_LEVELS[momentum] if 0 <= momentum < len(_LEVELS) else '?'}")
    volume, crystal = None, None
    if len(numbers["acell"]) == 3 and len(numbers["rprim"]) == 9:
        cell = np.array(numbers["rprim"]).reshape(3, 3) * np.array(numbers["acell"])[:, None]
        volume = abs(float(np.linalg.det(cell)))
        crystal = _crystal(cell * BOHR_ANGSTROM, numbers)
    match = re.search(r"gauss_broaden\s*(?:\{\s*)?(\d+(?:\.\d*)?|\.\d+)", text, re.IGNORECASE)
    gaussian_ev = float(match[1]) if match else 0.0
    return OceanInput(True, tuple(sorted(absorbers)), tuple(sorted(levels)), volume, crystal, photons, gaussian_ev)


def _crystal(cell_a: Floats, numbers: dict[str, list[float]]) -> Structure | None:
    """Return the crystal of the input; None if it does not give the place of each atom by `xred`.

    Raises:
        BadRunError: unreadable.
    """
    kinds, kind_of, places = numbers["znucl"], numbers["typat"], numbers["xred"]
    if not places or len(places) != 3 * len(kind_of) or not all(1 <= kind <= len(kinds) for kind in kind_of):
        return None
    atomic_numbers = [int(kinds[int(kind) - 1]) for kind in kind_of]
    if not all(0 < number < 119 for number in atomic_numbers):
        return None
    symbols = [Element.from_Z(number).symbol for number in atomic_numbers]
    return crystal_of(cell_a, symbols, np.array(places).reshape(-1, 3))


def _numbers(text: str, key: str) -> list[float]:
    """Return the numbers of `key { 1 2 3 }`; repetitions such as `3*1.0` are spelled out."""
    match = re.search(rf"(?<![\w.]){key}\s*\{{([^}}]*)\}}", text, re.IGNORECASE)
    found: list[float] = []
    for word in match[1].split() if match else []:
        times, star, value = word.rpartition("*")
        try:
            found += [float(value.replace("d", "e"))] * min(int(times) if star else 1, limits.ATOMS)
        except ValueError:
            return []
    return found


def _photon(text: str) -> Photon:
    words = text.split()
    operator = words[0].lower() if words else "dipole"
    match = re.search(r"cartesian\s+(\S+)\s+(\S+)\s+(\S+)", text)
    try:
        vector = tuple(float(match[k]) for k in (1, 2, 3)) if match else ()
    except ValueError:
        vector = ()
    if not any(vector):
        return Photon(operator, (1.0, 0.0, 0.0), f"an unknown direction{_OPERATORS.get(operator, f', {operator}')}")
    x, y, z = vector
    direction = " ".join(f"{value:g}" for value in vector)
    return Photon(operator, (x, y, z), f"{direction}{_OPERATORS.get(operator, f', {operator}')}")
