"""Own runs of XSpectra beside the published spectra of anatase: one table, one figure.

    python studies/compare_xspectra.py RUNS.zip [--data ../shared/data/anatase] [--figure docs/studies/xspectra.svg]

RUNS.zip is a chunk of `snakemake simulations` with Ti_XSPECTRA. Materials whose id has `anatase` are compared with the
spectra that `compare_codes` reads; all others are only drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from compare_codes import DATA, WIDTH_EV, load

from xanesflow.codes.common_scale import CommonProcessing
from xanesflow.codes.run_zip import read_chunk
from xanesflow.codes.xspectra.read_run import XspectraReader
from xanesflow.config.curation import XSPECTRA_SHIFT_EV
from xanesflow.core.figures import figure
from xanesflow.spectra.similarity import compare_spectra, compared_part


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--figure", type=Path, default=Path(__file__).parents[1] / "docs/studies/xspectra.svg")
    given = parser.parse_args()
    published = load(given.data)
    read = XspectraReader(CommonProcessing("curation.xspectra", "Ti", WIDTH_EV, None, XSPECTRA_SHIFT_EV["Ti"]))
    curves = {}
    for run in read_chunk(given.runs, "XSPECTRA"):
        spectrum = read(run, None, element="Ti", structure=None)
        curves[f"{run.material_id}, computed here"] = spectrum.energy_ev, spectrum.cross_section
        print(f"{run.material_id}: {spectrum.steps}")
        for name, other in published.items() if "anatase" in run.material_id else ():
            found = compare_spectra(other, (spectrum.energy_ev, spectrum.cross_section))
            print(f"| {name} | {found.spearman:.3f} / {found.rms:.3f} | shift {found.shift_ev:+.2f} eV |")

    measured = published["experiment"]
    energy, values = published["XSpectra"]
    curves["anatase, published XSpectra"] = energy + compare_spectra(measured, published["XSpectra"]).shift_ev, values
    curves["anatase, experiment"] = measured
    with figure(given.figure, 6.5, 4.5) as drawn:
        axes = drawn.subplots()
        for k, (name, (x, y)) in enumerate(curves.items()):
            inside = (x > 4960) & (x < 5000.5)
            axes.plot(x[inside], y[inside] / y[compared_part(x, y)].mean() + 1.1 * k, lw=1.3)
            axes.annotate(name, (4960.5, 1.1 * k + 0.25), fontsize=8)
        axes.set(
            xlabel="energy / eV", ylabel="absorption, scaled to the same mean; shifted upwards", xlim=(4960, 5000.5)
        )
        axes.set_yticks([])


if __name__ == "__main__":
    main()
