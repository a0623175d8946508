"""What does a delta model on quick FEFF gain on published Cu spectra, and from how many of them?

    python studies/quick_feff/study_quick_feff.py --sources drawn --settings fast ...   runs the sites
    python studies/quick_feff/study_delta_quick.py --data ../shared/data --archive UNPACKED --out DIR

The sites are the drawn ones of study_quick_feff.py: the first by the SHA-256 of their ids in each part of the published
split. The model learns from those of the training part, in several draws of each number, and is evaluated on those of
the validation part; eta is to the mean published validation spectrum. Needs no new run where quick.npz has the sites.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from compute_reference import known_rows
from study_delta_across import learned, relative_rms, together
from study_quick_feff import PACKED, drawn_sites, tried

from xanesflow.core.array_types import Floats
from xanesflow.features.cheap_runs.columns import FRAME_POINTS
from xanesflow.models.delta.alignment import best_shifts, onto_grid
from xanesflow.models.delta.delta_model import FEWEST_PAIRS

DRAWS = 10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True, help="feff9-cu.tar.xz, unpacked")
    parser.add_argument("--out", type=Path, required=True, help="folder of study_quick_feff.py")
    given = parser.parse_args()
    known = list(drawn_sites(given))
    rows = [{**row, "element": "Cu"} for row in known_rows(given.out, PACKED) if row["tried"] == tried("fast")]
    data, _ = together(known, rows, "feffq", divided=False)
    of_validation = set((given.data / "3dtm_xanes_ml2024/splits/Cu_FEFF_val.txt").read_text().split())
    judge = np.array([name.removeprefix("Cu-") in of_validation for name in data.ids])
    asked, taught = np.flatnonzero(judge), np.flatnonzero(~judge)
    print(f"{len(known)} sites listed, {len(taught)} to learn from, {len(asked)} to be evaluated on")

    # Cheap spectra as they are and moved, then models of more and more sites; scores of each draw.
    frames = data.features[:, -data.feature_dimensions["feffq"] :][:, :FRAME_POINTS].astype(float)
    shifts = best_shifts(frames, data.spectra)
    mean = np.load(given.data / "3dtm_xanes_ml2024/Cu_FEFF_val.npz")["spectra"].mean(axis=0)
    baseline = np.mean((data.spectra[asked] - mean) ** 2, axis=1)
    print("| learned from | eta | median RMS, 90 % |\n| --- | --- | --- |")

    def show(name: str, predictions: list[Floats]) -> None:
        squares = [np.mean((each - data.spectra[asked]) ** 2, axis=1) for each in predictions]
        etas = [float(np.median(baseline) / np.median(each)) for each in squares]
        relative = np.array([relative_rms(each, data.spectra[asked]) for each in predictions])
        spread = f" ({min(etas):.1f} to {max(etas):.1f})" if len(etas) > 1 else ""
        print(f"| {name} | {np.mean(etas):.1f}{spread} | {np.median(relative):.3f}, {np.quantile(relative, 0.9):.3f} |",
              flush=True)  # fmt: skip

    show("nothing", [onto_grid(frames[asked], np.zeros(len(asked)))])
    show("one shift", [onto_grid(frames[asked], np.full(len(asked), np.median(shifts[taught])))])
    for number in sorted({*range(FEWEST_PAIRS, len(taught), FEWEST_PAIRS), len(taught)}):
        draws = [np.random.default_rng(k).permutation(taught)[:number] for k in range(DRAWS)]
        some = draws if number < len(taught) else [taught]
        show(f"{number} sites", [learned(data, "feffq", each).predict(data.features[asked]) for each in some])


if __name__ == "__main__":
    main()
