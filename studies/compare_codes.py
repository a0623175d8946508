"""The Ti K edge of anatase by VASP, FEFF, OCEAN, exciting and XSpectra, and from experiment: a figure and two tables.

    python studies/compare_codes.py [--data ../shared/data/anatase] [--figure docs/studies/anatase.svg]

The files come from Lightshow's notebooks (BSD-3-Clause). VASP's file holds the computed dielectric function, so it is
processed like any VASP run: cross section, then a Lorentzian of 0.89 eV. XSpectra's spectrum is unbroadened too and
gets the same Lorentzian. The others are used unchanged. No file has total energies, so the energies are aligned as in
Lightshow: the maximum of VASP to that of the experiment, then each other code by the shift that makes it most similar
to VASP (cosine).
"""

from __future__ import annotations

import argparse
import itertools
import lzma
from pathlib import Path

import numpy as np
from scipy.signal import find_peaks
from scipy.stats import cauchy

from xanesflow.codes.vasp.broadening import broaden_lorentzian
from xanesflow.codes.vasp.make_spectrum import cross_section
from xanesflow.config.curation import PAPER_BROADENING_EV, PAPER_CORE_LEVEL_EV, PAPER_SHIFT_EV
from xanesflow.core.figures import figure
from xanesflow.spectra.similarity import RANGE_EV, compare_spectra, compared_part

DATA = Path(__file__).parents[1].parent / "shared/data/anatase"
CORE_LEVEL_EV, WIDTH_EV = PAPER_CORE_LEVEL_EV["Ti"], PAPER_BROADENING_EV["Ti"]
FERMI_EV = 5.1302  # of this calculation, from Lightshow's notebook
COLOURS = {"experiment": "#222222", "VASP": "#0072B2", "FEFF": "#D55E00", "OCEAN": "#009E73", "exciting": "#CC79A7",
           "XSpectra": "#56B4E9"}  # fmt: skip

Spectrum = tuple[np.ndarray, np.ndarray]


def load(data: Path) -> dict[str, Spectrum]:
    """Energies in eV and intensities by code; VASP and XSpectra are broadened."""
    names = {"experiment": "exp", "FEFF": "theory_FEFF", "OCEAN": "ocean", "exciting": "exciting"}
    spectra = {name: load_file(data / f"anatase_{file}.txt") for name, file in names.items()}
    spectra["VASP"] = process_vasp(load_file(data / "anatase_theory_VASP.txt.xz"))
    energy, values = load_file(data / "anatase_xspectra.txt")
    step = float(energy[-1] - energy[0]) / (len(energy) - 1)
    spectra["XSpectra"] = energy, broaden_lorentzian(values, step_ev=step, width_ev=WIDTH_EV)
    return {name: spectra[name] for name in COLOURS}


def load_file(path: Path) -> Spectrum:
    """The two columns of a file, compressed or not."""
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as opened:
        energy, values = np.loadtxt(opened).T
    forward = np.diff(np.maximum.accumulate(energy), prepend=-np.inf) > 0  # three of the experiment step back
    return energy[forward], values[forward]


def process_vasp(raw: Spectrum) -> Spectrum:
    """Cross section and broadening as for any VASP run; the size of the cell is unknown, so it is set to 1 Å³."""
    energy, epsilon2 = raw
    step = float(energy[-1] - energy[0]) / (len(energy) - 1)
    broadened = broaden_lorentzian(cross_section(energy, epsilon2, 1.0), step_ev=step, width_ev=WIDTH_EV)
    computed = slice(np.flatnonzero(epsilon2)[0] - int(20 / step), np.flatnonzero(epsilon2)[-1] + 1)
    return energy[computed], broadened[computed]


def publish_vasp(raw: Spectrum, at: np.ndarray) -> np.ndarray:
    """The same at some energies by the formula of the published spectra, independent of our implementation."""
    energy, epsilon2 = raw
    some = slice(np.flatnonzero(epsilon2)[0], np.flatnonzero(epsilon2)[-1] + 1)
    energy, values = energy[some], energy[some] * epsilon2[some]
    width = (energy[-1] - energy[0]) / len(energy)
    return np.array([cauchy.pdf(x - energy, 0, WIDTH_EV / 2) @ values * width for x in at])


def align(spectra: dict[str, Spectrum]) -> dict[str, Spectrum]:
    """Shift all spectra to the experiment's energies, and scale each to a mean of 1 over the compared part."""
    measured = spectra["experiment"]
    energy, values = spectra["VASP"]
    vasp = energy + measured[0][measured[1].argmax()] - energy[values.argmax()], values
    aligned = {"experiment": measured, "VASP": vasp}
    for name in spectra.keys() - aligned.keys():
        shift = compare_spectra(vasp, spectra[name]).shift_ev
        aligned[name] = spectra[name][0] + shift, spectra[name][1]
    return {name: (x, y / y[compared_part(x, y)].mean()) for name in spectra for x, y in [aligned[name]]}


def peaks(spectrum: Spectrum, *, below: float = 5000.0) -> list[float]:
    """Energies of the maxima that rise above their surroundings by at least 0.5 % of the spectrum's maximum."""
    energy, values = spectrum
    found, _ = find_peaks(values / values.max(), prominence=0.005)
    return [float(energy[k]) for k in found if energy[k] < below]


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--figure", type=Path, default=Path(__file__).parents[1] / "docs/studies/anatase.svg")
    given = parser.parse_args()
    spectra = load(given.data)
    aligned = align(spectra)

    print("Maxima below 5,000 eV, aligned\n")
    for name, spectrum in aligned.items():
        print(f"| {name} | {', '.join(f'{x:.1f}' for x in peaks(spectrum))} |")

    raw = load_file(given.data / "anatase_theory_VASP.txt.xz")
    at = np.arange(CORE_LEVEL_EV * -1 + FERMI_EV - 3, CORE_LEVEL_EV * -1 + FERMI_EV + 35, 0.05)
    published = peaks((at, publish_vasp(raw, at)), below=np.inf)
    ours = peaks((at, np.interp(at, *spectra["VASP"])), below=np.inf)
    print(f"\nVASP, {len(ours)} maxima here, {len(published)} by the published sums; apart by at most "
          f"{max(abs(a - b) for a, b in zip(ours, published, strict=True)):.3f} eV")  # fmt: skip
    shift = aligned["VASP"][0][0] - spectra["VASP"][0][0]
    delta = shift - (CORE_LEVEL_EV - FERMI_EV + PAPER_SHIFT_EV["Ti"])
    print(
        f"VASP's energies + {shift:.2f} eV, so that its Fermi level is at {FERMI_EV - CORE_LEVEL_EV + shift:.2f} eV; "
        f"with the published shift that is a difference of total energies of {delta:.2f} eV"
    )

    names = list(spectra)
    print(
        f"\nSpearman's coefficient over {RANGE_EV:g} eV, each pair aligned by its cosine\n\n| | {' | '.join(names)} |"
    )
    found = {(a, b): compare_spectra(spectra[a], spectra[b]).spearman for a, b in itertools.combinations(names, 2)}
    for a in names:
        cells = [f"{found.get((a, b), found.get((b, a), 1.0)):.3f}" for b in names]
        print(f"| {a} | {' | '.join(cells)} |")
    draw(aligned, given.figure)


def draw(aligned: dict[str, Spectrum], path: Path) -> None:
    """Draw the spectra one above the other, from 4,960 to 5,000 eV."""
    with figure(path, 6.5, 5.5) as drawn:
        axes = drawn.subplots()
        for k, (name, (x, y)) in enumerate(reversed(aligned.items())):
            inside = (x > 4960) & (x < 5000.5)
            axes.plot(x[inside], y[inside] + 1.1 * k, color=COLOURS[name], linewidth=1.4)
            axes.annotate(name, (4960.5, 1.1 * k + 0.12), color=COLOURS[name])
        axes.set(
            xlabel="energy / eV", ylabel="absorption, scaled to the same mean; shifted upwards", xlim=(4960, 5000.5)
        )
        axes.set_yticks([])


if __name__ == "__main__":
    main()
