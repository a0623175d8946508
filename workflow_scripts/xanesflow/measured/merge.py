"""Merge repeats of one scan into one spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.measured.measured_spectrum import MeasuredSpectrum, Normalisation, Scan, Stored
from xanesflow.measured.normalise import STATED, normalise

MOST_APART_EV = 1.0
"""Largest distance between the edges of repeats; if the monochromator moved further, they must be aligned first."""


def merge_spectra(spectra: Sequence[MeasuredSpectrum], normalisation: Normalisation | None = None) -> MeasuredSpectrum:
    """Average µ of repeats and normalise it anew, by what projects hold of all of them if they do.

    If the files of all of them state their E0, the mean of these is kept.

    The energies are those of the scan with the most points, or the first of such, within the range that all scans
    cover; the others are interpolated linearly.

    Args:
        spectra: repeats of one sample.
        normalisation: as each of them was normalised.

    Raises:
        XanesflowError: one is there twice, they are of different elements, edges or signals, or their edges lie apart.
    """
    first = spectra[0]
    names = ", ".join(each.source for each in spectra[:4]) + (", …" if len(spectra) > 4 else "")
    for one, other in combinations(spectra, 2):  # channels of one scan may be merged
        if one.scan == other.scan and one.mu.shape == other.mu.shape and np.allclose(one.mu, other.mu, rtol=1e-6):
            raise XanesflowError(f"{one.source} and {other.source} are one scan, not repeats; leave one of them out.")
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
    within = (each.energy_ev[(each.energy_ev >= low) & (each.energy_ev <= high)] for each in spectra)
    energy = max(within, key=len)
    all_mu = np.array([np.interp(energy, each.energy_ev, each.mu) for each in spectra])
    all_norm = np.array([np.interp(energy, each.energy_ev, each.normalised) for each in spectra])
    near = np.abs(energy - halves[0]) < 50
    parameters = {
        "format": "merged",
        "text_sha256": " ".join(sorted(frozenset[str]().union(*(each.scan for each in spectra)))),
        "merged": [
            {"source": each.source, "half_step_ev": each.half_step_ev, "edge_step": each.edge_step,
             "file_sha256": each.parameters.get("file_sha256"), "text_sha256": each.parameters.get("text_sha256")}
            for each in spectra
        ],
        "spread_of_repeats": float(np.mean(np.std(all_norm[:, near], axis=0))),
    }  # fmt: skip
    remarks = tuple(dict.fromkeys(f"{each.source}: {remark}" for each in spectra for remark in each.remarks))
    stated = all(each.parameters["element_from"] == "stated" for each in spectra)
    element, edge = (first.element, first.edge) if stated else (None, None)
    flattened = np.mean([np.interp(energy, each.energy_ev, each.flattened) for each in spectra], axis=0)
    e0s = [each.e0_ev for each in spectra if each.parameters["e0_from"] == STATED]
    e0_ev = float(np.mean(e0s)) if len(e0s) == len(spectra) else None
    scan = Scan(
        energy, all_mu.mean(axis=0), first.parameters["mode"], names, element, edge, e0_ev, flattened,
        _mean_stored(spectra), parameters, remarks,
    )  # fmt: skip
    return normalise(scan, normalisation)


def _mean_stored(spectra: Sequence[MeasuredSpectrum]) -> Stored | None:
    """What projects hold for all of the repeats: the means of their ranges and of steps fixed by hand; else None."""
    given = [each.parameters for each in spectra]
    ranges = all(each["ranges_from"] == "project" for each in given)
    steps = all(each["edge_step_from"] == "stored" for each in given)
    if not ranges and not steps:
        return None

    def mean(name: str) -> tuple[float, float]:
        low, high = np.mean([np.add(each[name], each["e0_ev"]) for each in given], axis=0)
        return float(low), float(high)

    return Stored(
        float(np.mean([each["e0_ev"] for each in given])),
        mean("pre_edge_range_ev") if ranges else None,
        mean("post_edge_range_ev") if ranges else None,
        given[0]["post_edge_order"] if len({each["post_edge_order"] for each in given}) == 1 else None,
        float(np.mean([each["edge_step"] for each in given])) if steps else None,
    )
