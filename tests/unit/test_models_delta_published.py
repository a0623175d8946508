"""Delta learning on published Cu spectra: FEFF 9.9.1 and an independent run of the embedded engine's theory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Structure
from shared_data import shared

from xanesflow.codes.archive import read_archive
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.lightshow_tree import place_of
from xanesflow.core.energy_grid import onto_grid
from xanesflow.core.sites import Site
from xanesflow.features.cheap_runs.columns import FRAME_POINTS, frame_energies
from xanesflow.features.featurizers import get_featurizer
from xanesflow.models.delta.delta_model import DeltaSettings, fit_delta
from xanesflow.models.subset_data import SubsetData

START_EV = 8983.173
FOLDS = 4
FILES = ("POSCAR", "feff.inp", "feff.out", "xmu.dat")


@pytest.fixture(scope="module")
def data() -> SubsetData:
    """The probe's sites with radial features, its spectra, and those of the archive's finished runs."""
    with np.load(shared("engine-probe/spectra.npz")) as probe:
        names, energy, mu = [str(name) for name in probe["ids"]], probe["e"], probe["mu"]
    sites = [(name.rsplit("_", 1)[0], int(name.rsplit("_", 1)[1])) for name in names]
    structures, runs = archived(sites)
    computed = get_featurizer("radial").compute([structures[m] for m, _ in sites], atoms=[[site] for _, site in sites])
    frame = frame_energies(START_EV)
    cheap = np.array([np.interp(frame, energy, row) for row in mu])
    features = np.hstack([np.concatenate(computed), cheap]).astype(np.float32)
    spectra = []
    for material, site in sites:
        xmu = read_run(runs[material, site], element="Cu", structure=structures[material], site_index=site)
        spectra.append(onto_grid(xmu.energy_ev, xmu.cross_section, start_ev=START_EV, max_flat_start_ev=10))
    return SubsetData(
        Path("published"), "Cu_FEFF", "radial+feff", START_EV + 0.25 * np.arange(141), np.array(spectra), features,
        np.array(["train"] * len(names)), names, {"radial": features.shape[1] - FRAME_POINTS, "feff": FRAME_POINTS}, {},
        "0" * 64, "1" * 64,
    )  # fmt: skip


def archived(sites: list[Site]) -> tuple[dict[str, Structure], dict[Site, dict[str, bytes]]]:
    """Structures and files of finished runs of some sites, from the archive."""
    materials, structures, runs = {material for material, _ in sites}, {}, {site: {} for site in sites}
    for member in read_archive(shared("feff9-cu.tar.xz"), lambda name: name.rpartition("/")[2] in FILES):
        place = place_of(member.name, "FEFF")
        if place is None or place.material_id not in materials:
            continue
        if place.file == "POSCAR":
            structures[place.material_id] = Structure.from_str(member.content.decode(), fmt="poscar")
        elif (place.material_id, place.site_index) in runs:
            runs[place.material_id, place.site_index][place.file] = member.content
    return structures, runs


def test_seventy_expensive_spectra_and_the_engine_beat_the_papers_model_of_thousands(data):
    """Cross-validated by material; the paper's η of Cu_FEFF is 5.19, from 3,340 training spectra."""
    materials = np.array([name.rsplit("_", 1)[0] for name in data.ids])
    fold = np.random.default_rng(0).permutation(FOLDS * len(np.unique(materials)))[: len(np.unique(materials))] % FOLDS
    of_site = dict(zip(np.unique(materials), fold, strict=True))
    predicted, alone, mean = (np.empty_like(data.spectra) for _ in range(3))
    for number in range(FOLDS):
        out = np.array([of_site[name] == number for name in materials])
        split = np.where(out, "test", "train")
        model = fit_delta(SubsetData(**{**vars(data), "split": split}), DeltaSettings("feff"))
        predicted[out] = model.predict(data.features[out])
        alone[out] = model.from_structure_alone(data.features[out])
        mean[out] = data.spectra[~out].mean(axis=0)
    of_mean, with_it, without = (
        np.median(((each - data.spectra) ** 2).mean(axis=1)) for each in (mean, predicted, alone)
    )
    assert of_mean / with_it > 5.19
    assert of_mean / with_it > 2.5 * of_mean / without
