"""Learn how far FEFF 9.9.1's Fermi level lies from that of the small field: the model of the embedded engine's level.

    python studies/fit_fermi.py ARCHIVE --fields DIR --out FILE [--sites N]

ARCHIVE is the published archive of finished Cu runs; the xmu.dat of each run gives its level (Mu). One site is drawn
for each material, without the materials of `study_engine.py`. Its field is computed as in the engine (about four
seconds for each site; fields in DIR are not computed again). The study first cross-validates the choices, then fits
with the best one and writes FILE (workflow_scripts/xanesflow/codes/feff8l/fermi_cu.safetensors). If the levels change,
raise ENGINE_VERSION, so that stored results are computed again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.vasp import Poscar
from safetensors.numpy import save_file
from scipy.spatial.distance import cdist
from sklearn.model_selection import KFold
from study_engine import DEVELOPMENT, TEST, draw_names

from xanesflow.codes.archive import read_archive
from xanesflow.codes.feff8l.cluster import cut_cluster
from xanesflow.codes.feff8l.convergence import read_convergence
from xanesflow.codes.feff8l.fermi_level import FIELDS, LevelModel, describe
from xanesflow.codes.feff8l.field import read_field
from xanesflow.codes.feff8l.options import Rung
from xanesflow.codes.feff8l.programs import run_program
from xanesflow.codes.feff8l.write_inputs import feff_inp
from xanesflow.codes.feff8l.xanes import UNSETTLED_EV
from xanesflow.codes.lightshow_tree import place_of
from xanesflow.core.errors import ProgramError, XanesflowError
from xanesflow.core.files import sha256_file

GAMMAS = (0.5, 1.0, 2.0)
RIDGES = (0.003, 0.01, 0.03)
POINTS = 1500
BLOCKS = {"crystal and absorber": 44, "elements": 94, "field": 17}
"""Blocks of features, with their sizes; every block weighs the same, whatever its size."""


def read(archive: Path, n: int) -> list[tuple[str, int, Structure, float]]:
    """Material, site, structure and FEFF 9's level in eV of the drawn sites."""
    names = dict(list(draw_names(archive, DEVELOPMENT + TEST + n).items())[DEVELOPMENT + TEST :])
    structures, levels = {}, {}
    for member in read_archive(archive, lambda name: name.endswith(("/POSCAR", "/xmu.dat"))):
        place = place_of(member.name, "FEFF")
        if place is None or place.material_id not in names:
            continue
        if place.file == "POSCAR":
            structures[place.material_id] = Poscar.from_str(member.content.decode()).structure
        elif place.site_index == names[place.material_id] and b"Mu=" in member.content:
            levels[place.material_id] = float(member.content.split(b"Mu=")[1].split(b"eV")[0])
    return [(m, names[m], structures[m], levels[m]) for m in names if m in structures and m in levels]


def compute_field(site: tuple[str, int, Structure, float], folder: Path) -> list[float] | None:
    """The numbers that describe a site's field (`Field.describe`); None if the program pot fails."""
    material, index, structure, _ = site
    path = folder / f"{material}_{index:03d}.json"
    if not path.exists():
        values = None
        try:
            cluster = cut_cluster(structure, index)
            for radius, iterations in FIELDS:
                with tempfile.TemporaryDirectory(prefix="xanesflow_") as temporary:
                    run = Path(temporary)
                    rung = Rung(radius, iterations, 0.2)
                    (run / "feff.inp").write_text(feff_inp(cluster, rung, core_hole=False))
                    run_program("feff8l_rdinp", run, outputs=("pot.json",), time_limit=120)
                    printed = run_program("feff8l_pot", run, outputs=("pot.pad",), time_limit=120)
                    convergence = read_convergence(printed, wanted=iterations)
                    values = read_field(run / "pot.pad", printed, convergence).describe().tolist()
                if convergence.last_change_ev <= UNSETTLED_EV:
                    break
        except (ProgramError, XanesflowError) as error:
            print(f"  no field: {path.stem}: {error}", flush=True)
        temporary_path = path.with_suffix(".part")
        temporary_path.write_text(json.dumps(values))
        temporary_path.replace(path)
    return json.loads(path.read_text())


def scale_of(features: np.ndarray) -> np.ndarray:
    """(d,) divisors of the features, chosen so that distances in each block weigh the same."""
    scale = features.std(0)
    scale[scale < 1e-9] = 1
    sizes = np.repeat(list(BLOCKS.values()), list(BLOCKS.values()))
    if len(sizes) != len(scale):
        raise SystemExit(f"BLOCKS names {len(sizes)} features, and there are {len(scale)}")
    return scale * sizes


def fit(features: np.ndarray, levels: np.ndarray, gamma: float, ridge: float, n_points: int = POINTS) -> LevelModel:
    """Fit a kernel ridge regression on the sites that best represent the others (pivoted Cholesky of the kernel)."""
    mean, scale = features.mean(0), scale_of(features)
    x = (features - mean) / scale
    kernel = np.exp(-gamma * cdist(x, x, "cityblock"))
    points = x[pivots(kernel, n_points)].astype(np.float16).astype(np.float64)  # rounded as in the stored file
    level = float(levels.mean())
    kernel = np.exp(-gamma * cdist(x, points, "cityblock"))
    among = np.exp(-gamma * cdist(points, points, "cityblock"))
    left = kernel.T @ kernel + ridge * among + 1e-8 * np.eye(len(points))
    return LevelModel(mean, scale, points, np.linalg.solve(left, kernel.T @ (levels - level)), level, gamma)


def pivots(kernel: np.ndarray, n: int) -> list[int]:
    """Rows chosen by a pivoted Cholesky decomposition: each is the row that the earlier ones explain least."""
    left, chosen, factor = np.ones(len(kernel)), [], np.zeros((len(kernel), n))
    while len(chosen) < n and left.max() > 1e-6:
        k, done = int(left.argmax()), len(chosen)
        column = (kernel[:, k] - factor[:, :done] @ factor[k, :done]) / np.sqrt(left[k])
        factor[:, done] = column
        left = np.maximum(left - column**2, 0)
        left[k] = 0
        chosen.append(k)
    return chosen


def main() -> None:
    """Compute the fields, choose the settings, fit the model and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--fields", type=Path, required=True, help="folder of the computed fields")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sites", type=int, default=10**6, help="largest number of sites")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    given.fields.mkdir(parents=True, exist_ok=True)
    sites = read(given.archive, given.sites)
    with ProcessPoolExecutor(given.workers) as pool:
        fields = list(pool.map(partial(compute_field, folder=given.fields), sites, chunksize=4))
    good = [k for k, field in enumerate(fields) if field is not None]
    features = np.array([np.concatenate([describe(sites[k][2], [sites[k][1]])[0], fields[k]]) for k in good])
    added = np.array([sites[k][3] - fields[k][0] for k in good])
    print(f"{len(good)} sites, each of another material; FEFF 9's level less the field's:", end=" ")
    print(f"median {np.median(added):+.2f}, standard deviation {added.std():.2f} eV")
    print("| gamma | ridge | median abs. error eV | mean | 90 % | SD eV | median kernel of the nearest |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    best: tuple[float, tuple[float, float]] = (np.inf, (0.0, 0.0))
    for choice in product(GAMMAS, RIDGES):
        error, near = np.zeros(len(good)), np.zeros(len(good))
        for train, test in KFold(8, shuffle=True, random_state=0).split(features):
            model = fit(features[train], added[train], *choice)
            error[test] = model.predict(features[test])[0] - added[test]
            scaled = (features[test] - model.mean) / model.scale
            near[test] = np.exp(-model.gamma * cdist(scaled, model.points, "cityblock").min(axis=1))
        size = np.abs(error)
        print(
            f"| {choice[0]} | {choice[1]} | {np.median(size):.3f} | {size.mean():.3f} | {np.quantile(size, 0.9):.2f} | "
            f"{error.std():.2f} | {np.median(near):.2f} |",
            flush=True,
        )
        best = min(best, (float(size.mean()), choice))
    model = fit(features, added, *best[1])
    arrays = {name: getattr(model, name).astype(np.float32) for name in ("mean", "scale", "weights")}
    arrays["points"] = model.points.astype(np.float16)
    about = {"level": model.level, "gamma": model.gamma, "ridge": best[1][1], "sites": len(good), "absorber": "Cu"}
    about |= {"theory": "FEFF 9.9.1", "archive_sha256": sha256_file(given.archive)}
    save_file(arrays, given.out, metadata={"model": json.dumps(about, sort_keys=True)})
    print(f"{given.out}: {best[1]}, {given.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
