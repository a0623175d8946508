"""Bring the spectra of codes other than FEFF and VASP to one width and to absolute energies.

Codes write spectra of different sharpness, and place them at the Fermi level, at the 1s level of density functional
theory, or at a tabulated edge. Two rules make them comparable:

- Width. Lorentzians of full widths a and b one after the other are one of full width a + b. So a spectrum that is
  already broadened by a gets a Lorentzian of the rest, and a spectrum that is broader than the common width stays as it
  is.
- Energy. Where the difference of the total energies with and without hole is known (ΔSCF: own runs of XSpectra), it
  is the zero of the spectrum, plus `curation.<code>.total_energy_shift`, an error that is nearly the same for all
  compounds of an element. Otherwise, if `curation.<code>.shift` has an entry for the element, it is added to the
  energies of the code. Otherwise the energy at which the cross section first reaches half of the tabulated jump comes
  to 13 eV above the tabulated edge. There the published FEFF spectra have it (medians between 11.7 eV for Ni and
  14.2 eV for Cr). The rule keeps
  shapes, but no chemical shifts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from pymatgen.core import Structure
from xraydb import atomic_mass, mu_elam, xray_edge

from xanesflow.codes.finished_run import FinishedRun
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.core.units import BOHR_ANGSTROM
from xanesflow.measured.broaden import Broadening, broaden

HALF_JUMP_EV = 13.0
"""Energy above the tabulated edge at which half of the jump lies; the median of the published FEFF spectra."""

_STEP_EV = 0.05  # finer grids are thinned before the broadening, whose memory grows with the square of the points
_AVOGADRO = 6.02214076e23


@dataclass(frozen=True)
class CommonProcessing:
    """How the spectra of a subset are brought to the common scale."""

    section: str  # of the configuration, for messages, such as `curation.ocean`
    element: str  # the absorber
    width_ev: float  # full width of the Lorentzian that all spectra have in the end
    shift_ev: float | None  # added to the code's energies; None: the rule of the half jump
    # added where the total energies place the spectrum; None: `shift_ev` counts
    total_energy_shift_ev: float | None = None


@dataclass(frozen=True)
class RawSpectrum:
    """A spectrum as a code gives it, averaged over polarisations."""

    energy_ev: Floats  # (n,) in the code's own scale of energies
    cross_section: Floats  # (n,) of the absorber in bohr²
    width_ev: float  # full width of the Lorentzian that it already has at its edge
    zero: str  # what the code counts its energies from, for the record
    how: str = ""  # how the average over polarisations was taken, for the record
    edge_ev: float | None = None  # absolute energy of the zero by the difference of total energies; None: not known


@dataclass(frozen=True)
class CommonSpectrum:
    """A spectrum at absolute energies and of the common width (`engine.ComputedSpectrum`)."""

    energy_ev: Floats  # (n,) absolute photon energies
    cross_section: Floats  # (n,) in bohr²
    steps: str  # what was done to the code's spectrum, one sentence


class CommonReader(ABC):
    """Reads the runs of a code for a chunk, and brings them to the common scale (`engine.Reader`)."""

    def __init__(self, processing: CommonProcessing) -> None:
        self.processing = processing

    def __call__(
        self, run: FinishedRun, shared: FinishedRun | None, *, element: str, structure: Structure | None
    ) -> CommonSpectrum:
        """Read a run and bring it to the common scale.

        Raises:
            BadRunError: the run cannot be used; holds the reason.
        """
        return to_common_scale(self.read(run, element, structure), self.processing)

    @abstractmethod
    def read(self, run: FinishedRun, element: str, structure: Structure | None) -> RawSpectrum:
        """Check a run and read the spectrum of its site, averaged over polarisations.

        Raises:
            BadRunError: the run cannot be used; holds the reason.
        """


def processing_of(subset: str, values: Mapping[str, float], *, start_ev: float) -> CommonProcessing:
    """Collect the constants of a subset.

    Args:
        subset: such as `Ti_OCEAN`.
        values: its element's entries of the section by key: `broadening`, and perhaps `shift`, in eV.
        start_ev: first energy of the dataset's grid; not needed here.

    Raises:
        XanesflowError: there is no width for the element.
    """
    parsed = Subset.parse(subset)
    section = f"curation.{parsed.theory.lower()}"
    if "broadening" not in values:
        raise XanesflowError(
            f"The spectra of {subset} need an entry for {parsed.element} in {section}.broadening; add the full width "
            "of its 1s level in eV."
        )
    return CommonProcessing(
        section, parsed.element, values["broadening"], values.get("shift"), values.get("total_energy_shift")
    )


def to_common_scale(raw: RawSpectrum, processing: CommonProcessing) -> CommonSpectrum:
    """Broaden a spectrum to the common width, and shift it to absolute energies.

    Raises:
        BadRunError: no_output, not_a_number, unreadable or all_zero, as of `check_curve`; or edge_elsewhere, if the
            rule of the half jump finds no edge.
    """
    energy, values = check_curve(raw.energy_ev, raw.cross_section)
    step = max(1, int(_STEP_EV / float(np.median(np.diff(energy)))))
    energy, values = energy[::step], values[::step]
    missing = processing.width_ev - raw.width_ev
    if missing > 0:
        values = broaden(energy, values, float(energy[0]), Broadening("lorentzian", missing))
        widened = f"broadened from {raw.width_ev:.3g} to {processing.width_ev:g} eV"
    else:
        widened = f"width {raw.width_ev:.3g} eV as computed"
    if raw.edge_ev is not None and processing.total_energy_shift_ev is not None:
        shift = raw.edge_ev + processing.total_energy_shift_ev
        placed = f"{raw.edge_ev:.2f} eV by total energies and {processing.total_energy_shift_ev:g} eV added"
    elif processing.shift_ev is None:
        shift = half_jump_shift(energy, values, processing.element)
        placed = f"half of the tabulated jump placed {HALF_JUMP_EV:g} eV above the tabulated edge"
    else:
        shift, placed = processing.shift_ev, f"{processing.shift_ev:g} eV ({processing.section}.shift) added"
    how = f"{raw.how}; " if raw.how else ""
    return CommonSpectrum(energy + shift, values, f"{how}{widened}; energies from {raw.zero}, {placed}")


def check_curve(energy_ev: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Check that a curve is finite, rising in energy and not zero, and return it.

    Raises:
        BadRunError: no_output (fewer than two energies), not_a_number, unreadable (energies that do not rise) or
            all_zero.
    """
    if len(energy_ev) < 2:
        raise BadRunError("no_output", "the spectrum has fewer than two energies")
    if not (np.isfinite(energy_ev).all() and np.isfinite(values).all()):
        raise BadRunError("not_a_number", "the spectrum holds NaN or an infinite value")
    if (np.diff(energy_ev) <= 0).any():
        raise BadRunError("unreadable", "the energies of the spectrum do not rise")
    if not values.max() > 0:
        raise BadRunError("all_zero", "the absorption is zero everywhere")
    return energy_ev, values


@cache
def tabulated_jump(element: str) -> tuple[float, float]:
    """Return energy (eV) and jump (bohr²) of an element's K edge, from the tables of Elam and others (xraydb)."""
    edge = float(xray_edge(element, "K").energy)
    grams = float(mu_elam(element, edge + 10) - mu_elam(element, edge - 10))
    return edge, grams * float(atomic_mass(element)) / _AVOGADRO / (BOHR_ANGSTROM * 1e-8) ** 2


def half_jump_shift(energy_ev: Floats, values: Floats, element: str) -> float:
    """Return the eV to add so that the first crossing of half the jump comes to `HALF_JUMP_EV` above the edge.

    Raises:
        BadRunError: edge_elsewhere, because the cross section never reaches half of the jump.
    """
    edge, jump = tabulated_jump(element)
    above = np.flatnonzero(values >= jump / 2)
    if not len(above) or above[0] == 0:
        raise BadRunError(
            "edge_elsewhere",
            f"the cross section does not rise through half of the jump of {element}, {jump / 2:.2e} bohr²; it goes "
            f"from {values.min():.2e} to {values.max():.2e} bohr²",
        )
    k = int(above[0])
    part = (jump / 2 - values[k - 1]) / (values[k] - values[k - 1])
    return edge + HALF_JUMP_EV - float(energy_ev[k - 1] + part * (energy_ev[k] - energy_ev[k - 1]))
