"""Learn the Fermi levels of FEFF 9.9.1 at Cu sites: the model behind `fermi_level: learned` of the embedded engine.

    python benchmarks/fit_fermi.py ARCHIVE --out workflow_scripts/xanesflow/simulations/feff8l/fermi_cu.safetensors

ARCHIVE is the published archive of finished Cu runs; each run's xmu.dat names its level (Mu). The materials of
`study_engine.py` are left out. First the choices, cross-validated by material; then the fit with the best of them.
A model that gives other levels needs a new ENGINE_VERSION (`settings`), so that kept results are computed again.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np
from pymatgen.io.vasp import Poscar
from safetensors.numpy import save_file
from sklearn.model_selection import GroupKFold
from study_engine import DEVELOPMENT, TEST, draw_names

from xanesflow.files import sha256_file
from xanesflow.simulations.archive import read_archive
from xanesflow.simulations.feff8l.level import LevelModel, describe, laplace
from xanesflow.simulations.layout import place_of

GAMMAS = (0.02, 0.03, 0.05)
RIDGES = (0.01, 0.03, 0.1)
POINTS = 1500


def read(archive: Path, left_out: set[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features (n, d), levels (n,) in eV and material of each finished run."""
    structures, levels = {}, {}
    for member in read_archive(archive, lambda name: name.endswith(("/POSCAR", "/xmu.dat"))):
        place = place_of(member.name)
        if place is None or place.material_id in left_out:
            continue
        if place.file == "POSCAR":
            structures[place.material_id] = Poscar.from_str(member.content.decode()).structure
        elif place.site_index is not None and b"Mu=" in member.content:
            level = float(member.content.split(b"Mu=")[1].split(b"eV")[0])
            levels.setdefault(place.material_id, {})[place.site_index] = level
    features, values, materials = [], [], []
    for material in sorted(levels.keys() & structures.keys()):
        sites = sorted(levels[material])
        features.append(describe(structures[material], sites))
        values += [levels[material][site] for site in sites]
        materials += [material] * len(sites)
    return np.vstack(features), np.array(values), materials


def fit(features: np.ndarray, levels: np.ndarray, weights: np.ndarray, gamma: float, ridge: float) -> LevelModel:
    """Kernel ridge regression on the POINTS sites that span the others best (pivoted Cholesky of the kernel)."""
    mean, scale = features.mean(0), features.std(0)
    scale[scale < 1e-9] = 1
    x = (features - mean) / scale
    points = x[pivots(x, gamma, POINTS)].astype(np.float16).astype(np.float64)  # as they are stored
    level = float(np.average(levels, weights=weights))
    kernel = laplace(x, points, gamma)
    left = (kernel.T * weights) @ kernel + ridge * laplace(points, points, gamma) + 1e-8 * np.eye(len(points))
    return LevelModel(mean, scale, points, np.linalg.solve(left, (kernel.T * weights) @ (levels - level)), level, gamma)


def pivots(x: np.ndarray, gamma: float, n: int) -> list[int]:
    """Rows that a pivoted Cholesky decomposition of the kernel takes, those least explained by the ones before."""
    left, chosen, factor = np.ones(len(x)), [], np.zeros((len(x), n))
    while len(chosen) < n and left.max() > 1e-6:
        k, done = int(left.argmax()), len(chosen)
        column = (laplace(x, x[k : k + 1], gamma)[:, 0] - factor[:, :done] @ factor[k, :done]) / np.sqrt(left[k])
        factor[:, done] = column
        left = np.maximum(left - column**2, 0)
        left[k] = 0
        chosen.append(k)
    return chosen


def main() -> None:
    """Choose, fit, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    names = draw_names(given.archive, DEVELOPMENT + TEST)
    features, levels, materials = read(given.archive, set(names))
    _, number, counts = np.unique(materials, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[number]  # each material counts once
    print(f"{len(levels)} sites of {len(counts)} materials; standard deviation of the level {levels.std():.2f} eV")
    folds = list(GroupKFold(4).split(features, groups=number))
    best: tuple[float, tuple] = (np.inf, ())
    print("| gamma | ridge | SD eV | median abs. error eV | median weight |")
    print("| --- | --- | --- | --- | --- |")
    for choice in product(GAMMAS, RIDGES):
        error, trust = np.zeros(len(levels)), np.zeros(len(levels))
        for train, test in folds:
            model = fit(features[train], levels[train], weights[train], *choice)
            predicted, trust[test] = model.predict(features[test])
            error[test] = predicted - levels[test]
        middle = float(np.median(np.abs(error)))
        print(f"| {choice[0]} | {choice[1]} | {error.std():.2f} | {middle:.3f} | {np.median(trust):.2f} |", flush=True)
        best = min(best, (middle, choice))
    model = fit(features, levels, weights, *best[1])
    arrays = {name: getattr(model, name) for name in ("mean", "scale", "weights")}
    arrays["points"] = model.points.astype(np.float16)
    about = {
        "level": model.level,
        "gamma": model.gamma,
        "ridge": best[1][1],
        "sites": len(levels),
        "theory": "FEFF 9.9.1",
    }
    about |= {"materials": len(counts), "archive_sha256": sha256_file(given.archive), "absorber": "Cu"}
    save_file(arrays, given.out, metadata={"model": json.dumps(about, sort_keys=True)})
    print(f"{given.out}: {best[1]}, {given.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
