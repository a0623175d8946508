"""Writes a computed spectrum as measured ones are written: with its background, normalised by it, and broadened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from xanesflow.cli.compute_sites import SiteResult
from xanesflow.core.errors import WrongCallError
from xanesflow.core.files import write_text
from xanesflow.matching.material_spectrum import average_sites
from xanesflow.matching.spectrum_store import StoredSpectrum
from xanesflow.measured.broaden import Broadening, Kind, broaden

_DEFAULTS: dict[str, dict[str, float]] = {
    "gaussian": {},
    "lorentzian": {"rise_ev": 5.0, "centre_ev": 30.0},
    "arctangent": {"rise_ev": 5.0, "centre_ev": 30.0},
}
"""What a rising width takes where the user names none; the width itself is always named."""


def read_broadening(text: str) -> Broadening:
    """A broadening from `gaussian:1.5`, `lorentzian:1:5` or `arctangent:1:5:30` (width, rise, centre in eV).

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
            f"--broaden {text[:40]!r} is not understood; write gaussian:WIDTH, lorentzian:WIDTH[:RISE[:CENTRE]] or "
            "arctangent:WIDTH[:RISE[:CENTRE]] with numbers in eV, as gaussian:1.5."
        )
    given = {**_DEFAULTS[kind], **values}
    if not all(np.isfinite(value) and value >= 0 for value in given.values()) or given.get("centre_ev", 1.0) <= 0:
        raise WrongCallError(f"--broaden {text[:40]!r} needs widths of 0 or more, and a centre above 0.")
    return Broadening("gaussian" if kind == "gaussian" else _rising(kind), **given)


def _rising(kind: str) -> Kind:
    return "lorentzian" if kind == "lorentzian" else "arctangent"


def write_normalised(
    path: Path, outcomes: Sequence[SiteResult], broadening: Broadening | None, *, aligned: str = ""
) -> bool:
    """Write the mean of the sites as CSV: `energy_ev,cross_section,background,normalised` and, if asked, `broadened`.

    Args:
        path: the table.
        outcomes: of all sites.
        broadening: of the normalised spectrum; None: none.
        aligned: how the energies were moved; empty: they are as computed.

    Returns:
        Whether it was written; it is not, if a site failed or the level of theory gives no background.
    """
    spectra = []
    for outcome in outcomes:
        result = outcome.result
        if result is None or result.background is None:
            return False
        spectra.append(StoredSpectrum(result.energy_ev, result.cross_section, result.background))
    mean = average_sites(spectra, [outcome.site.multiplicity for outcome in outcomes])
    columns = [mean.energy_ev, mean.cross_section, mean.background, mean.values]
    names = ["energy_ev", "cross_section", "background", "normalised"]
    lines = [
        f"energies absolute, in eV{aligned and f', {aligned}'}",
        "cross sections in bohr^2, mean of the sites; background: without the neighbours",
    ]
    lines.append("normalised: divided by the step of the background, as xanesflow measured does with measured spectra")
    if broadening is not None:
        columns.append(broaden(mean.energy_ev, mean.values, mean.edge_ev, broadening))
        names.append("broadened")
        lines.append(
            f"broadened: {broadening.kind}, width {broadening.width_ev:g} eV, rise {broadening.rise_ev:g} eV about "
            f"{broadening.centre_ev:g} eV above the edge at {mean.edge_ev:.2f} eV"
        )
    rows = [
        f"{energy:.4f}," + ",".join(f"{value:.6e}" for value in values)
        for energy, *values in zip(*columns, strict=True)
    ]
    write_text(path, "\n".join([*(f"# {line}" for line in lines), ",".join(names), *rows]) + "\n")
    return True
