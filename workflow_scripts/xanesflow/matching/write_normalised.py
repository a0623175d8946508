"""Writes a computed spectrum as measured ones are written: with its background, normalised by it, and broadened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import numpy as np

from xanesflow.core.errors import WrongCallError
from xanesflow.core.files import write_text
from xanesflow.core.tables import write_table
from xanesflow.core.text import quoted
from xanesflow.matching.material_spectrum import NormalisedSpectrum, average_sites
from xanesflow.matching.spectrum_store import StoredSpectrum
from xanesflow.measured.broaden import Broadening, Kind, broaden
from xanesflow.measured.write_athena import athena_text
from xanesflow.spectra.compute_sites import SiteResult

_RISING = {"rise_ev": 5.0, "centre_ev": 30.0}
"""What a rising width takes where the user names none; the width itself is always named."""

_WIDEST_EV = 50.0


def read_broadening(text: str) -> Broadening:
    """A broadening from `gaussian:1.5`, `lorentzian:1:5` or `arctangent:1:5:30` (width, rise, centre in eV).

    The width is a standard deviation or, where it rises, a full width at half maximum.

    Raises:
        WrongCallError: the text is none of these.
    """
    kind, *numbers = text.split(":")
    names = ("width_ev", "rise_ev", "centre_ev")
    most = 1 if kind == "gaussian" else len(names)
    try:
        values = dict(zip(names, map(float, numbers), strict=False))
    except ValueError:
        values = {}
    if kind not in get_args(Kind) or not 1 <= len(numbers) <= most or len(values) != len(numbers):
        raise WrongCallError(
            f"--broaden {quoted(text)} is not understood; write gaussian:WIDTH, lorentzian:WIDTH[:RISE[:CENTRE]] or "
            "arctangent:WIDTH[:RISE[:CENTRE]] with numbers in eV, as gaussian:1.5."
        )
    given = values if kind == "gaussian" else {**_RISING, **values}
    if not all(np.isfinite(value) and value >= 0 for value in given.values()) or given.get("centre_ev", 1.0) <= 0:
        raise WrongCallError(f"--broaden {quoted(text)} needs widths of 0 or more, and a centre above 0.")
    if max(given["width_ev"], given.get("rise_ev", 0.0)) > _WIDEST_EV:
        raise WrongCallError(
            f"--broaden {quoted(text)} is wider than a spectrum; give widths in eV of at most {_WIDEST_EV:g}."
        )
    return Broadening(cast("Kind", kind), **given)


def normalised_mean(outcomes: Sequence[SiteResult]) -> NormalisedSpectrum | None:
    """The mean of the sites, normalised by its background; None if a site failed or the theory gives no background."""
    spectra = []
    for outcome in outcomes:
        result = outcome.result
        if result is None or result.background is None:
            return None
        spectra.append(StoredSpectrum(result.energy_ev, result.cross_section, result.background))
    return average_sites(spectra, [outcome.site.multiplicity for outcome in outcomes])


def write_normalised(
    path: Path, outcomes: Sequence[SiteResult], broadening: Broadening | None, *, about: Sequence[str] = ()
) -> bool:
    """Write the mean of the sites as CSV: `energy_ev,cross_section,background,normalised` and, if asked, `broadened`.

    Args:
        path: the table; one that ends with .dat has two columns for Athena, energy and the last of these.
        outcomes: of all sites.
        broadening: of the normalised spectrum; None: none.
        about: lines for the head: what the spectrum is of, how it was computed, how its energies were moved.

    Returns:
        Whether it was written; it is not, if a site failed or the level of theory gives no background.
    """
    mean = normalised_mean(outcomes)
    if mean is None:
        return False
    write_spectrum(path, mean, broadening, element=outcomes[0].site.element, about=about)
    return True


def write_spectrum(
    path: Path,
    mean: NormalisedSpectrum,
    broadening: Broadening | None,
    *,
    element: str,
    background: str = "without the neighbours",
    about: Sequence[str] = (),
) -> None:
    """Write a material's normalised spectrum as CSV, or as .dat for Athena; see `write_normalised`.

    Args:
        path: the table.
        mean: of the sites.
        broadening: of the normalised spectrum; None: none.
        element: symbol of the absorber.
        background: what the background is.
        about: lines for the head, as of `write_normalised`.
    """
    columns = [mean.energy_ev, mean.cross_section, mean.background, mean.values]
    names = ["energy_ev", "cross_section", "background", "normalised"]
    lines = [
        *about,
        "energies absolute, in eV",
        f"cross sections in bohr^2, mean of the sites; background: {background}",
        "normalised: divided by the step of the background, as xanesflow measured does with measured spectra",
    ]
    if broadening is not None:
        columns.append(broaden(mean.energy_ev, mean.values, mean.edge_ev, broadening))
        names.append("broadened")
        centre = f"{broadening.centre_ev:g} eV above the edge at {mean.edge_ev:.2f} eV"
        how = " (standard deviation)"
        if broadening.kind != "gaussian":
            how = f" (full width at half maximum), rise {broadening.rise_ev:g} eV about {centre}"
        lines.append(f"broadened: {broadening.kind}, width {broadening.width_ev:g} eV{how}")
    if path.suffix == ".dat":
        unit = "normalised absorption, 1 far above the edge"
        write_text(path, athena_text(mean.energy_ev, columns[-1], element, lines, unit=unit, column="norm"))
        return
    write_table(path, lines, names, columns)
