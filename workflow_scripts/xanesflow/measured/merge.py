"""Merge repeats of one scan into one spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.measured.measured_spectrum import MeasuredSpectrum, Normalisation, Scan
from xanesflow.measured.normalise import normalise

MOST_APART_EV = 1.0
"""Largest distance between the edges of repeats; if the monochromator moved further, they must be aligned first."""


def merge_spectra(spectra: Sequence[MeasuredSpectrum], normalisation: Normalisation | None = None) -> MeasuredSpectrum:
    """Average µ of repeats and normalise it anew.

    The energies are the first scan's, within the range that all scans cover; the others are interpolated linearly.

    Args:
        spectra: repeats of one sample.
        normalisation: as each of them was normalised.

    Raises:
        XanesflowError: they are of different elements, edges or signals, or their edges lie apart.
    """
    first = spectra[0]
    names = ", ".join(each.source for each in spectra[:4]) + (", …" if len(spectra) > 4 else "")
    if len({(each.element, each.edge) for each in spectra}) > 1:
        raise XanesflowError(f"{names} are of different elements or edges; merge repeats of one sample only.")
    if len({each.parameters["mode"] for each in spectra}) > 1:
        raise XanesflowError(f"{names} are of different modes, as transmission and fluorescence; merge one only.")
    halves = [each.half_step_ev for each in spectra]
    if np.ptp(halves) > MOST_APART_EV:
        raise XanesflowError(
            f"The edges of {names} lie {np.ptp(halves):.1f} eV apart, too far for repeats of one scan "
            f"(at most {MOST_APART_EV:g} eV); align them first, or merge fewer."
        )
    low, high = max(each.energy_ev[0] for each in spectra), min(each.energy_ev[-1] for each in spectra)
    energy = first.energy_ev[(first.energy_ev >= low) & (first.energy_ev <= high)]
    all_mu = np.array([np.interp(energy, each.energy_ev, each.mu) for each in spectra])
    all_norm = np.array([np.interp(energy, each.energy_ev, each.normalised) for each in spectra])
    near = np.abs(energy - halves[0]) < 50
    parameters = {
        "format": "merged",
        "merged": [
            {"source": each.source, "half_step_ev": each.half_step_ev, "edge_step": each.edge_step,
             "file_sha256": each.parameters.get("file_sha256")}
            for each in spectra
        ],
        "spread_of_repeats": float(np.mean(np.std(all_norm[:, near], axis=0))),
    }  # fmt: skip
    remarks = tuple(dict.fromkeys(f"{each.source}: {remark}" for each in spectra for remark in each.remarks))
    scan = Scan(
        energy, all_mu.mean(axis=0), first.parameters["mode"], names, first.element, first.edge, None, None, parameters,
        remarks,
    )  # fmt: skip
    return normalise(scan, normalisation)
