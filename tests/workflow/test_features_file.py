"""A campaign from files of features and spectra: no structures, no simulations, and all the rest as ever."""

import h5py
import numpy as np
import pandas as pd
from workflow import run, write_config


def write_parts(folder):
    """Two subsets of 40 sites in 20 materials whose spectra follow from their features, with two faults in one."""
    rng = np.random.default_rng(0)
    shapes = rng.uniform(1e-4, 1e-3, size=(4, 141))
    for subset in ("Cu_FEFF", "Cu_VASP"):
        features = rng.uniform(size=(40, 4)).astype(np.float32)
        ids = np.array([f"mp-{k // 2}_{k % 2:03d}" for k in range(40)])
        spectra = features @ shapes
        if subset == "Cu_VASP":
            spectra[0, 3], ids[1] = np.nan, "nonsense"
        np.savez(folder / f"{subset}.npz", ids=ids, features=features, spectra=spectra)


def test_features_and_spectra_from_files_lead_to_figures_and_report(tmp_path):
    write_config(
        tmp_path,
        subsets=["Cu_FEFF", "Cu_VASP"],
        dataset={"source": "features_file", "files": "{subset}.npz"},
        features={"models": ["mine"]},
        splits={"fractions": [0.6, 0.2, 0.2]},
        models={"kinds": ["tuned"], "max_epochs": 3, "learning_rate": 1e-3, "widths": {"universal": [8]}},
    )
    assert "Cu_FEFF.npz does not exist" in run(tmp_path, "--dry-run", good=False)
    write_parts(tmp_path)
    assert "so this campaign makes no structures" in run(tmp_path, "structures", good=False)
    run(tmp_path)
    table = pd.read_csv(tmp_path / "results/evaluation/metrics.csv")
    assert (table["element"] + "_" + table["theory"]).tolist() == ["Cu_FEFF", "Cu_VASP"]
    assert (table["n_test"] > 0).all() and np.isfinite(table["eta"]).all()
    page = (tmp_path / "results/report/report.html").read_text()
    assert "bad_id" in page and "not_a_number" in page and "How did the simulations go" not in page
    assert "so nothing was simulated or curated here" in page and "<b>by name alone</b>" in page, (
        "two theories of Cu without structures"
    )
    with h5py.File(tmp_path / "results/dataset/test.h5") as file:
        assert (len(file["Cu_FEFF/spectra"]), len(file["Cu_VASP/spectra"]), len(file["structures"])) == (40, 38, 0)
    assert not (tmp_path / "results/simulations").exists()
