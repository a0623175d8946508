"""The section `curation` of config.yaml: which spectra are good, and on which energy grid they are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.codes.registry import theories
from xanesflow.config.base import ElementSymbol, Number, Positive, Section, Theory, not_bool
from xanesflow.core.energy_grid import MAX_FLAT_START_EV

PAPER_ENERGY_START_EV = {
    "Ti": 4964.504, "V": 5464.097, "Cr": 5989.168, "Mn": 6537.886,
    "Fe": 7111.23, "Co": 7709.282, "Ni": 8332.181, "Cu": 8983.173,
}  # fmt: skip
"""First grid energy in eV of the K edge of each element (arXiv 2409.19552, methods)."""

PAPER_CORE_LEVEL_EV = {"Ti": -4864.0371, "Cu": -8850.2467}
"""ε_core of the published VASP spectra by absorber (arXiv 2409.19552), the 1s level of its POTCAR for GW."""

PAPER_BROADENING_EV = {"Ti": 0.89, "Cu": 3.458}
"""Full width in eV of the Lorentzian on the published VASP spectra."""

PAPER_SHIFT_EV = {"Ti": 5114.08973, "Cu": 9499.797}
"""Empirical shift in eV of the published VASP spectra, found from experimental ones."""


CORE_WIDTH_EV = {
    "Ti": 0.89, "V": 1.01, "Cr": 1.08, "Mn": 1.16, "Fe": 1.25, "Co": 1.33, "Ni": 1.44, "Cu": 1.55,
}  # fmt: skip
"""Full width in eV of the 1s level by its lifetime: Ti as published for VASP, others by Krause and Oliver (1979)."""

XSPECTRA_SHIFT_EV = {"Ti": -19.8}
"""Shift in eV of own runs of XSpectra after the alignment by total energies, found from measured anatase.

Most of it is the spin of the lone 1s electron, which the atoms do not have.
"""

ENVELOPE_SIGMA: dict[Theory, float | None] = {
    each.name: each.envelope_sigma for each in theories() if each.envelope_sigma is not None
}
"""Standard deviations of the envelope by level of theory, the paper's for FEFF and VASP."""


def _with_those_of_the_paper(values: Mapping[str, float | None]) -> AfterValidator:
    """The entries of a campaign change the paper's or add to them; they never remove one."""
    return AfterValidator(lambda given: {**values, **given})


def _none_for_all(given: Any) -> Any:
    """`envelope: null` switches the envelope off for every level of theory."""
    return dict.fromkeys(ENVELOPE_SIGMA) if given is None else given


Envelope = dict[Theory, Positive | None]


class VaspSpectra(Section):
    """How VASP's dielectric function becomes a cross section at absolute energies, by absorber."""

    core_level: Annotated[dict[ElementSymbol, Number], _with_those_of_the_paper(PAPER_CORE_LEVEL_EV)] = Field(
        PAPER_CORE_LEVEL_EV,
        description="1s level of the absorber's POTCAR in eV; VASP's energies are relative to it",
    )
    broadening: Annotated[dict[ElementSymbol, Positive], _with_those_of_the_paper(PAPER_BROADENING_EV)] = Field(
        PAPER_BROADENING_EV, description="full width of the Lorentzian in eV"
    )
    shift: Annotated[dict[ElementSymbol, Number], _with_those_of_the_paper(PAPER_SHIFT_EV)] = Field(
        PAPER_SHIFT_EV,
        description="eV added after the alignment by total energies; found from a measured spectrum",
    )


class CommonSpectra(Section):
    """How the spectra of other codes come to one width and to absolute energies, by absorber."""

    broadening: Annotated[dict[ElementSymbol, Positive], _with_those_of_the_paper(CORE_WIDTH_EV)] = Field(
        CORE_WIDTH_EV,
        description="full width in eV of the Lorentzian that spectra have in the end; wider ones stay as they are",
    )
    shift: dict[ElementSymbol, Number] = Field(
        {},
        description=(
            "eV added to the code's energies; for elements without an entry, half of the tabulated jump comes to\n"
            "13 eV above the tabulated edge"
        ),
    )


class XspectraSpectra(CommonSpectra):
    """As for other codes, and where own runs are placed by their total energies."""

    total_energy_shift: dict[ElementSymbol, Number] = Field(
        XSPECTRA_SHIFT_EV,
        description=(
            "eV added to spectra of own runs, which the total energies with and without hole place; for elements\n"
            "without an entry, shift or the rule above counts"
        ),
    )


class CurationSection(Section):
    """Which spectra are good, and on which energy grid they are given."""

    envelope: Annotated[
        Envelope,
        BeforeValidator(_none_for_all, json_schema_input_type=Envelope | None),
        _with_those_of_the_paper(ENVELOPE_SIGMA),
    ] = Field(
        ENVELOPE_SIGMA,
        description=(
            "leaves out spectra that differ by more than this many standard deviations from the mean of their subset\n"
            "at any grid point; {FEFF: null} keeps all of one level of theory, and null instead of the table all"
        ),
    )
    energy_start: Annotated[dict[ElementSymbol, Positive], _with_those_of_the_paper(PAPER_ENERGY_START_EV)] = Field(
        PAPER_ENERGY_START_EV,
        description="first energy in eV of each element's grid: 141 points, 35 eV, every 0.25 eV",
    )
    max_flat_start: Annotated[float, BeforeValidator(not_bool), Field(ge=0, allow_inf_nan=False)] = Field(
        MAX_FLAT_START_EV,
        description=(
            "longest part of the grid in eV before the first computed point; there the spectrum is continued flat, as\n"
            "published (the 4,831 published Cu runs need up to 5.6)"
        ),
    )
    mixed_settings: bool = Field(
        False,
        description=(
            "true: keep runs of FEFF whose physics cards (core hole, radii of SCF and FMS, energies, ...) are not\n"
            "those of most imported runs, or, if you computed them, of inputs.feff; false: leave them out"
        ),
    )
    vasp: VaspSpectra = Field(
        VaspSpectra(),
        description=(
            "spectra of VASP; elements other than Ti and Cu need entries of their own\n(docs/reference/vasp-spectra.md)"
        ),
    )
    ocean: CommonSpectra = Field(CommonSpectra(), description="spectra of OCEAN (docs/guide/other-codes.md)")
    exciting: CommonSpectra = Field(CommonSpectra(), description="spectra of exciting")
    xspectra: XspectraSpectra = Field(XspectraSpectra(), description="spectra of XSpectra")
    fdmnes: CommonSpectra = Field(CommonSpectra(), description="spectra of FDMNES")
