"""Made-up measured spectra of iron with a white line, and kept spectra of structures that fit them."""

from __future__ import annotations

import numpy as np
from measured_files import E0, ENERGY

from xanesflow.matching.candidates import find_candidates
from xanesflow.matching.compute_candidates import make_engine, plan_spectra
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum


def step(away):
    return 0.5 + np.arctan(away / 0.8) / np.pi


def measured(peak, energy=ENERGY):
    """A normalised spectrum with a white line `peak` eV after its edge."""
    return step(energy - E0) + 0.8 * np.exp(-((energy - E0 - peak) ** 2) / 18)


def keep_spectra(folder, *names, element="Fe", away=0.0):
    """Keep spectra of structures, each with a white line elsewhere, 3 eV above where it is measured; returns ids.

    Those of another element lie `away` eV from iron's.
    """
    store, engine = SpectrumStore("FEFF8L", folder, shipped=folder), make_engine("FEFF8L", element)
    energy = np.arange(7095.0, 7170.0, 0.1)
    found = [each for name in names for each in find_candidates([name], element)[0]]
    for number, candidate in enumerate(found):
        for site in plan_spectra([candidate], engine, store).sites:
            values = measured(4.0 + 3 * number % 40, energy - 3.0)
            store.put(site.key, StoredSpectrum(energy + away, 2e-3 * values, 2e-3 * step(energy - 3 - E0)))
    return [candidate.id for candidate in found]
