"""The published VASP calculation of anatase (its dielectric function, absolute energies) against the published sums."""

import lzma

import numpy as np
import pytest
from scipy.signal import find_peaks
from scipy.stats import cauchy
from shared_data import shared

from xanesflow.codes.vasp.broadening import broaden_lorentzian
from xanesflow.codes.vasp.constants import Processing
from xanesflow.codes.vasp.make_spectrum import make_spectrum
from xanesflow.codes.vasp.read_steps import CoreHole
from xanesflow.core.energy_grid import energy_grid, onto_grid

START, CORE_LEVEL, FERMI, WIDTH = 4964.504, -4864.0371, 5.1302, 0.89


@pytest.fixture(scope="module")
def raw():
    """Energies relative to the core level and dielectric function."""
    with lzma.open(shared("anatase/anatase_theory_VASP.txt.xz"), "rt") as opened:
        return np.loadtxt(opened).T


@pytest.fixture(scope="module")
def measured():
    return np.loadtxt(shared("anatase/anatase_exp.txt")).T


def sums(energies, values, at):
    """The broadening as the published spectra have it, over the energies where there is absorption."""
    some = slice(np.flatnonzero(values)[0], np.flatnonzero(values)[-1] + 1)
    width = (energies[some][-1] - energies[some][0]) / len(energies[some])
    return np.array([cauchy.pdf(x - energies[some], 0, WIDTH / 2) @ values[some] * width for x in at])


def peaks(energies, values):
    found, _ = find_peaks(values / values.max(), prominence=0.005)
    return energies[found]


def test_the_broadening_is_that_of_the_published_sums(raw):
    energies, epsilon2 = raw
    step = (energies[-1] - energies[0]) / (len(energies) - 1)
    broadened = broaden_lorentzian(energies * epsilon2, step_ev=step, width_ev=WIDTH)
    at = energies[30000:33000:50]
    wanted = sums(energies, energies * epsilon2, at)
    # The published sums take n steps where n - 1 lie between the ends, of 4,418 points here.
    assert np.abs(broadened[30000:33000:50] / wanted - 1).max() < 4e-4


def test_aligned_its_peaks_are_within_half_an_ev_of_the_published_comparison(raw, measured):
    """Which is the file broadened by the sums, with its maximum where the experiment has its own."""
    energies, epsilon2 = raw
    at = np.arange(FERMI - CORE_LEVEL - 3, FERMI - CORE_LEVEL + 32, 0.02)
    broadened = sums(energies, energies * epsilon2, at)
    shift = measured[0][measured[1].argmax()] - at[broadened.argmax()]
    published = peaks(at + shift, broadened)
    delta = shift - (CORE_LEVEL - FERMI + 5114.08973)  # the total energies of this calculation are not at hand
    spectrum = make_spectrum(
        CoreHole(energies, epsilon2, FERMI, delta, 136.0), Processing(CORE_LEVEL, WIDTH, 5114.08973, START)
    )
    ours = peaks(
        energy_grid(START),
        onto_grid(spectrum.energy_ev, spectrum.cross_section, start_ev=START, max_flat_start_ev=10.0),
    )
    assert len(published) == len(ours) >= 9
    assert np.abs(ours - published).max() < 0.2
    assert np.abs(ours - 4983.54).min() < 0.2  # the maximum of the experiment
