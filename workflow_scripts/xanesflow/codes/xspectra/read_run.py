"""Read and check a finished run of XSpectra, however many polarisations it has.

A run of Lightshow's tree is `GS/gs.out` (shared), `<site>_<element>/es.out` and one folder for each polarisation,
`dipole1/{xanes.in,xanes.out,xanes.dat}`. XSpectra writes the cross section of one absorber in bohr² (its mean over
5 to 35 eV is the tabulated jump), at energies relative to the Fermi level of the core-hole calculation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.common_scale import CommonProcessing, CommonReader, RawSpectrum, check_curve
from xanesflow.codes.crystal_of_run import check_surroundings, rotations_in_run
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.polarisations import site_rotations, weights_of
from xanesflow.codes.read_text import text_of
from xanesflow.codes.run_description import RunDescription, check_edge, read_files
from xanesflow.codes.xspectra.hole_job import LANCZOS
from xanesflow.codes.xspectra.lanczos import from_plain, spectrum_of
from xanesflow.codes.xspectra.read_calculation import Calculation, is_output, read_calculation
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import listing, plural

ANYWHERE = ("*.in", "*.out", "*.dat", "*/*.in", "*/*.out", "*/*.dat", "run.json")
"""Files of a run outside Lightshow's tree, where names are free."""

OWN_ENERGIES_EV = np.arange(-15.0, 60.0, 0.05)
"""Energies above the Fermi level at which spectra of own runs are made."""

_CONVERGED = "convergence has been achieved"


class XspectraReader(CommonReader):
    """Reads the runs of a chunk."""

    def read(self, run: FinishedRun, element: str, structure: Structure | None) -> RawSpectrum:
        """As `CommonReader.read`."""
        if LANCZOS in run.files:
            return read_own_run(run.files, element, self.processing)
        _, good = check_files(run.files, element=element, in_tree=True)
        return average(good, structure, run.site_index)


def read_own_run(files: Mapping[str, bytes], element: str, processing: CommonProcessing) -> RawSpectrum:
    """Make the spectrum of a run of this workflow from its Lanczos coefficients, at once with the common width.

    Args:
        files: content by name, with lanczos.json.
        element: symbol of the absorber.
        processing: of the subset.

    Raises:
        BadRunError: wrong_absorber, or unreadable.
    """
    try:
        saved = json.loads(files[LANCZOS])
        chains = from_plain(saved["chains"])
        zero = {key: float(saved[key]) for key in ("core_ev", "fermi_ev")}
        width, edge = float(saved["width_ev"]), float(saved["edge_ev"])
    except (ValueError, KeyError, TypeError):
        raise BadRunError("unreadable", f"{LANCZOS} is not what this workflow writes") from None
    if saved["element"] != element:
        raise BadRunError("wrong_absorber", f"the absorber is {saved['element']}, not {element}")
    wide = max(width, processing.width_ev)
    values = spectrum_of(chains, energy_ev=OWN_ENERGIES_EV, width_ev=wide, **zero)
    how = f"average over polarisations from {plural(len(chains), 'recursion')} by the symmetry of the site"
    return RawSpectrum(OWN_ENERGIES_EV, values, wide, "the Fermi level with the hole", how, edge_ev=edge)


def recognise(folder: Path, names: list[str]) -> bool:
    """Return whether a folder holds a run of XSpectra, by what a file of it printed."""
    for name in names:
        if name.endswith(".out"):
            with (folder / name).open("rb") as opened:
                if is_output(opened.read(4096)):
                    return True
    return False


def check_folder(
    folder: Path, *, element: str | None = None, structure: Structure | None = None, site_index: int = 0
) -> RunDescription:
    """Check the run in a folder; outside Lightshow's tree, element and structure are None.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    found, good = check_files(read_files(folder, ANYWHERE), element=element, in_tree=element is not None)
    if structure is not None:
        average(good, structure, site_index)
    return found


def describe_folder(folder: Path) -> RunDescription:
    """Say what the run in a folder is, good or not.

    Raises:
        BadRunError: no file says what it is.
    """
    files = read_files(folder, ANYWHERE)
    return _describe(_calculations(files))


def check_files(
    files: Mapping[str, bytes], *, element: str | None, in_tree: bool
) -> tuple[RunDescription, list[Calculation]]:
    """Check the calculations of a run, and say what it is.

    A calculation that stopped does not matter if another one of the same polarisation ended.

    Args:
        files: content by name.
        element: symbol of the absorber; None: any.
        in_tree: whether the run must show that its field converged (`es.out`).

    Returns:
        The description, and the good calculations, one for each polarisation.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    all_found = _calculations(files)
    found = _describe(all_found)
    check_edge(found, element=element)
    if others := sorted({each.absorber for each in all_found} - {found.absorber}):
        raise BadRunError("wrong_absorber", f"the polarisations are of {found.absorber} and {listing(others)}")

    # Sort out calculations that failed, and those that another one replaces.
    good: dict[str, Calculation] = {}
    for each in all_found:
        if not each.fault:
            check_curve(each.energy_ev, each.cross_section)
            good.setdefault(each.polarisation, each)
    remarks = []
    for each in all_found:
        if each.fault and each.polarisation not in good:
            raise BadRunError(each.reason, f"{each.name}: {each.fault}")
        if each.fault:
            remarks.append(f"{each.name} is not used ({each.fault}); another calculation has its polarisation")
    begun = {name.rpartition("/")[0] for name in files if "dipole" in name.rpartition("/")[0]}
    if without := sorted(begun - {each.name.rpartition("/")[0] for each in all_found}):
        raise BadRunError("no_output", f"{without[0]} has no output of XSpectra, so a polarisation is missing")
    remarks += _check_field(files, in_tree=in_tree)
    return replace(found, remarks=tuple(remarks)), list(good.values())


def _calculations(files: Mapping[str, bytes]) -> list[Calculation]:
    """Read all calculations of a run, good or not, by name.

    Raises:
        BadRunError: no_output, if there is none; unreadable.
    """
    outputs = [name for name, content in files.items() if name.endswith(".out") and is_output(content)]
    if not outputs:
        raise BadRunError("no_output", "no file holds what XSpectra prints (xanes.out)")
    return [read_calculation(name, files) for name in sorted(outputs)]


def _describe(found: list[Calculation]) -> RunDescription:
    edges = sorted({each.edge for each in found})
    polarisations = tuple(dict.fromkeys(each.polarisation for each in found))
    return RunDescription("XSpectra", found[0].version, found[0].absorber, listing(edges), polarisations)


def _check_field(files: Mapping[str, bytes], *, in_tree: bool) -> list[str]:
    """Check that the self-consistent field converged, and return a remark if no file shows it.

    Raises:
        BadRunError: not_converged.
    """
    fields = {name: text_of(name, content) for name, content in files.items() if b"Program PWSCF" in content[:4096]}
    for name, text in fields.items():
        if _CONVERGED not in text or re.search(r"convergence NOT achieved", text):
            raise BadRunError("not_converged", f"{name} does not say that the self-consistent field converged")
    if in_tree and "es.out" not in fields:
        raise BadRunError("not_converged", "there is no es.out, so nothing shows that the field of the hole converged")
    return [] if fields else ["no output of pw.x is here, so whether the field converged is not known"]


def average(good: list[Calculation], structure: Structure | None, site_index: int) -> RawSpectrum:
    """Average a run over its polarisations.

    Args:
        good: its calculations.
        structure: the material; None: all polarisations count the same.
        site_index: 0-based index of the absorber into it.

    Raises:
        BadRunError: other_kind_of_spectrum, if the polarisations do not give the average at this site; unreadable.
    """
    if len({each.energy_zero_ev is None for each in good}) > 1:
        raise BadRunError("unreadable", "only some of the polarisations name the energy that they count from")
    widths = {each.half_width_ev for each in good}
    if len(widths) > 1 or None in widths:
        raise BadRunError("unreadable", "the polarisations are not broadened alike, by one constant width each")
    weights: Floats | None = np.full(len(good), 1 / len(good))
    if structure is not None:
        weights = weights_of([each.direction for each in good], _rotations(good, structure, site_index))
    if weights is None:
        raise BadRunError(
            "other_kind_of_spectrum",
            f"polarisations are missing: {', '.join(each.polarisation for each in good)} do not give the average at "
            "this site by its symmetry",
        )
    # Polarisations may count their energies from different zeros (xe0) of one band structure.
    energy, zero = good[0].energy_ev, good[0].energy_zero_ev or 0.0
    values = sum(
        weight * np.interp(energy, each.energy_ev + (each.energy_zero_ev or 0.0) - zero, each.cross_section)
        for weight, each in zip(weights, good, strict=True)
    )
    parts = ", ".join(f"{weight:.3f} of {each.polarisation}" for weight, each in zip(weights, good, strict=True))
    width = 2 * float(good[0].half_width_ev or 0)
    return RawSpectrum(energy, np.asarray(values), width, "the Fermi level of the core-hole calculation", parts)


def _rotations(good: list[Calculation], structure: Structure, site_index: int) -> list[Floats]:
    """Return the rotations of the absorber's site in the frame of the light's directions.

    Raises:
        BadRunError: wrong_absorber, if a calculation is of another site, or of another cell than the first.
    """
    first = good[0]
    for each in good:
        if _printed(each) != _printed(first):
            raise BadRunError("wrong_absorber", f"{each.name} has another cell or absorber than {first.name}")
    if first.crystal is None:
        return site_rotations(structure, site_index)
    for index in first.hole:
        check_surroundings(first.crystal, index, structure, site_index)
    return rotations_in_run(first.crystal, first.hole[0])


def _printed(one: Calculation) -> object:
    """Return cell, places and absorbers of a calculation as it printed them, to compare them."""
    if (cell := one.crystal) is None:
        return None
    return cell.lattice.matrix.tolist(), cell.frac_coords.tolist(), cell.labels, one.hole
