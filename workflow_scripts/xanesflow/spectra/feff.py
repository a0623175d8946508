"""Read a finished FEFF run: is it good, and what is its cross section?

FEFF exits 0 after most of its failures and may leave a plausible xmu.dat all the same, so a run is believed only for
what its files say: the log names each module that ended well and that the self-consistent field converged; feff.inp
and the header of xmu.dat name the absorber and its edge; the cluster in feff.inp is that around the site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Element, Structure

from xanesflow.simulations.engine import FailedRunError
from xanesflow.spectra.grid import BOHR_ANGSTROM, Array

COLUMNS = 6  # omega, e, k, mu, mu0, chi

_NORMALISATION = re.compile(r"xsedge\+\s*\d+\s*,\s*used to normalize mu\s+(\S+)")
_ABSORBER = re.compile(r"Abs\s+Z=\s*(\d+).*?\b([KLMN]\d?)\s+shell")
_FMS_RADIUS = re.compile(r"^\s*FMS\s+([\d.]+)", re.MULTILINE | re.IGNORECASE)
_FMS_ATOMS = re.compile(r"FMS for a cluster of\s*(\d+) atoms")
_FUSED_EXPONENT = re.compile(r"(\d)([+-]\d{3})\b")  # Fortran writes 1.2E-101 as 1.2-101

_MODULES = {
    "potentials": "Done with module: potentials.",
    "cross section and phases": "Done with module: cross-section and phases (XSPH)",
    "full multiple scattering": "Done with module: FMS.",
    "trace of the Green's function": "Done with module: MKGTR.",
    "spectrum": "Done with module: XAS spectra (FF2X",
}
"""What each module that a XANES needs writes into the log of FEFF 9 and 10 when it is done, in their order."""


class BadRunError(FailedRunError):
    """A finished run whose files tell that it cannot be used."""


@dataclass(frozen=True)
class Xmu:
    """What xmu.dat holds.

    Attributes:
        energy_ev: (n,) absolute photon energies.
        cross_section: (n,) absorption cross section in bohr².
        chi: (n,) fine structure, mu - mu0 in units of the edge step.
        atomic_number: of the absorber, if the header names it.
        shell: of the core hole, such as `K`, if the header names it.
    """

    energy_ev: Array
    cross_section: Array
    chi: Array
    atomic_number: int | None
    shell: str | None


def read_run(
    files: Mapping[str, bytes], *, element: str, structure: Structure | None = None, site_index: int = 0
) -> Xmu:
    """Read the spectrum of a run and check all that its files tell.

    Args:
        files: content of `xmu.dat`, `feff.out` and `feff.inp`; feff.inp may lack, the others may not.
        element: symbol of the absorber.
        structure: the material; None: the cluster is not compared.
        site_index: 0-based index of the absorber into `structure`.

    Raises:
        BadRunError: the run cannot be used; holds the reason.
    """
    xmu = parse_xmu(files.get("xmu.dat", b""))
    check_absorber(xmu, files.get("feff.inp"), element=element, structure=structure, site_index=site_index)
    check_log(files.get("feff.out", b""))
    check_cluster(files["feff.out"], files.get("feff.inp"))
    values = np.stack([xmu.energy_ev, xmu.cross_section, xmu.chi])
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values).all(axis=0))[0])
        raise BadRunError("not_a_number", f"row {at + 1} of xmu.dat holds NaN or an infinite value")
    check_not_zero(xmu)
    return xmu


def check_not_zero(xmu: Xmu) -> None:
    """Check that there is an absorption, and a fine structure in it.

    Raises:
        BadRunError: all_zero or no_fine_structure.
    """
    if not xmu.cross_section.any():
        raise BadRunError("all_zero", "mu is zero in every row of xmu.dat")
    if not xmu.chi.any():
        raise BadRunError(
            "no_fine_structure", "chi is zero in every row of xmu.dat: full multiple scattering is missing"
        )


def parse_xmu(content: bytes) -> Xmu:
    """Parse xmu.dat of FEFF 8, 9 or 10.

    mu is written in units of the edge step, whose size in Å² stands in the header as `xsedge+ 50`; the cross section
    in bohr² is their product over the squared Bohr radius.

    Raises:
        BadRunError: no_output, unreadable, truncated, or not_a_number for a field that overflowed.
    """
    if not content.strip():
        raise BadRunError("no_output", "xmu.dat is missing or empty")
    text = _text("xmu.dat", content)
    header = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    body = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not body:
        raise BadRunError("truncated", "xmu.dat ends before its first row")
    if not text.endswith("\n") or len(body[-1].split()) < COLUMNS:
        raise BadRunError("truncated", f"xmu.dat ends within a line, after {len(body) - 1} whole rows")
    normalisation = _NORMALISATION.search("\n".join(header))
    if normalisation is None:
        raise BadRunError("unreadable", "the header of xmu.dat does not hold the edge step (xsedge+ 50)")
    rows = _rows(body)
    if (np.diff(rows[:, 0]) <= 0).any():
        raise BadRunError("unreadable", "the energies in xmu.dat do not increase")
    edge_step = _number(normalisation[1])
    absorber = _ABSORBER.search("\n".join(header))
    return Xmu(
        energy_ev=rows[:, 0],
        cross_section=rows[:, 3] * edge_step / BOHR_ANGSTROM**2,
        chi=rows[:, 5],
        atomic_number=int(absorber[1]) if absorber else None,
        shell=absorber[2] if absorber else None,
    )


def check_log(content: bytes) -> None:
    """Check by feff.out that the self-consistent field converged and that every module ended well.

    Raises:
        BadRunError: not_converged, truncated, module_failed or unreadable.
    """
    if not content.strip():
        raise BadRunError("not_converged", "feff.out is missing or empty, so nothing tells that the field converged")
    log = _text("feff.out", content)
    done = {module: log.find(line) for module, line in _MODULES.items()}
    missing = [module for module, at in done.items() if at < 0]
    if "Convergence not reached" in log:
        raise BadRunError("not_converged", "feff.out: the self-consistent field ran out of iterations")
    if "Keyword unrecognized" in log:
        raise BadRunError(
            "module_failed", "feff.out: a card of feff.inp was not recognised, so what follows is not of it"
        )
    if missing:
        after = list(_MODULES)[list(_MODULES).index(missing[0]) :]
        if missing == after:
            raise BadRunError("truncated", f"feff.out ends before the module '{missing[0]}' was done")
        raise BadRunError("module_failed", f"feff.out: the module '{missing[0]}' was not done, later ones went on")
    if "Convergence reached" not in log:
        raise BadRunError("not_converged", "feff.out has no line that tells that the self-consistent field converged")


def check_cluster(log: bytes, feff_inp: bytes | None) -> None:
    """Check that full multiple scattering took all atoms within its radius.

    FEFF cuts a cluster that is larger than it was compiled for (or than its card DIMS allows) without a word; only the
    number in its log tells.

    Raises:
        BadRunError: cluster_cut.
    """
    took = _FMS_ATOMS.findall(_text("feff.out", log))
    text = _text("feff.inp", feff_inp or b"")
    radius = _FMS_RADIUS.search(text)
    if not took or radius is None:
        return
    _, _, distances = parse_feff_inp(text, neighbours=None)
    within = 1 + int((distances <= float(radius[1]) - 1e-3).sum())  # an atom on the sphere may count or not
    if int(took[-1]) < within:
        detail = f"full multiple scattering took {took[-1]} atoms, but {within} lie within its {radius[1]} Å"
        raise BadRunError("cluster_cut", detail)


def check_absorber(
    xmu: Xmu, feff_inp: bytes | None, *, element: str, structure: Structure | None = None, site_index: int = 0
) -> None:
    """Check that a run is the K edge of `element` at this site of the structure.

    The first twelve distances from the absorber in feff.inp's cluster are those of the site, to 0.01 Å: so a run
    whose folder numbers sites of another version of the structure is found out.

    Raises:
        BadRunError: wrong_absorber or unreadable.
    """
    wanted = Element(element).Z
    found = {"xmu.dat": (xmu.atomic_number, xmu.shell)}
    distances: Array | None = None
    if feff_inp is not None and feff_inp.strip():
        atomic_number, edge, distances = parse_feff_inp(_text("feff.inp", feff_inp))
        found["feff.inp"] = (atomic_number, edge)
    for file, (atomic_number, edge) in found.items():
        if atomic_number is not None and atomic_number != wanted:
            symbol = Element.from_Z(atomic_number).symbol if 0 < atomic_number < 119 else f"Z={atomic_number}"
            raise BadRunError("wrong_absorber", f"the absorber in {file} is {symbol}, not {element}")
        if edge is not None and edge != "K":
            raise BadRunError("wrong_absorber", f"the edge in {file} is {edge}, not K")
    if all(number is None for number, _ in found.values()):
        raise BadRunError("wrong_absorber", "neither feff.inp nor the header of xmu.dat names the absorber")
    if structure is None or distances is None or len(distances) == 0:
        return
    centre, radius = structure[site_index].coords, float(distances[-1]) + 0.05
    around: Any = structure.lattice.get_points_in_sphere(structure.frac_coords, centre, radius, zip_results=False)
    at_site = np.sort(around[1])[1 : len(distances) + 1]  # the first is the absorber itself
    if len(at_site) < len(distances) or np.abs(at_site - distances).max() > 0.01:
        detail = f"the cluster in feff.inp is not the one around site {site_index} of POSCAR"
        raise BadRunError("wrong_absorber", detail)


def parse_feff_inp(text: str, neighbours: int | None = 12) -> tuple[int | None, str | None, Array]:
    """Read absorber, edge and nearest distances from feff.inp.

    Args:
        text: the file.
        neighbours: how many distances to give; None: all.

    Returns:
        Atomic number of potential 0, name of the edge (`K`, `L3`; `HOLE 1` is K), and the distances in Å of the
        nearest atoms from the absorber, sorted; None or empty where the file does not tell.
    """
    edge, atomic_number, section = None, None, ""
    coordinates: list[list[float]] = []
    absorber = 0
    for line in text.splitlines():
        words = line.split("*", 1)[0].split()
        if not words:
            continue
        card = words[0].upper()
        if card[0].isalpha():
            section = card[:4]
            if section in {"EDGE", "HOLE"} and len(words) > 1:
                edge = "K" if words[1].upper() in {"K", "1"} else words[1].upper()
            continue
        try:
            if section == "POTE" and words[0] == "0":
                atomic_number = int(words[1])
            elif section == "ATOM":
                if words[3] == "0":
                    absorber = len(coordinates)
                coordinates.append([float(word) for word in words[:3]])
        except (IndexError, ValueError):
            raise BadRunError("unreadable", f"feff.inp has a line that cannot be read: {line.strip()[:60]}") from None
    if not coordinates:
        return atomic_number, edge, np.empty(0)
    points = np.array(coordinates)
    distances = np.sort(np.linalg.norm(points - points[absorber], axis=1))
    return atomic_number, edge, distances[1:] if neighbours is None else distances[1 : neighbours + 1]


def _text(name: str, content: bytes) -> str:
    if b"\0" in content:
        raise BadRunError("unreadable", f"{name} is binary")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # a title in Latin-1 is harmless, a binary file is not
        if sum(byte > 127 for byte in content) > 0.02 * len(content):
            raise BadRunError("unreadable", f"{name} is not a text file") from None
        return content.decode("latin-1")


def _rows(lines: list[str]) -> Array:
    """The table of xmu.dat, all at once; line by line only to tell what is wrong."""
    try:
        flat = np.array(" ".join(lines).split(), dtype=float)
        if flat.size == COLUMNS * len(lines):
            return flat.reshape(-1, COLUMNS)
    except ValueError:
        pass
    rows = []
    for number, line in enumerate(lines, start=1):
        words = _FUSED_EXPONENT.sub(r"\1E\2", line).split()
        if len(words) != COLUMNS:
            raise BadRunError("unreadable", f"row {number} of xmu.dat has {len(words)} numbers, not {COLUMNS}")
        rows.append([_number(word) for word in words])
    return np.array(rows)


def _number(word: str) -> float:
    if set(word) == {"*"}:
        raise BadRunError("not_a_number", "xmu.dat holds a number that overflowed its field (***)")
    try:
        return float(word)
    except ValueError:
        raise BadRunError("unreadable", f"xmu.dat holds '{word[:20]}' where a number belongs") from None
