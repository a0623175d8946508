"""Sites in two dimensions and their nearest training sites, against scikit-learn and plain loops."""

import base64
import json
import zlib

import numpy as np
import pytest
from dataset_files import copy_of_dataset
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from xanesflow.dataset.read_dataset import load
from xanesflow.report.explorer.explorer import WORST, sample_evaluated
from xanesflow.report.explorer.feature_map import COMPONENTS, map_features, place, read_map, sample
from xanesflow.report.explorer.packing import bends, packed


def test_few_sites_are_placed_by_their_principal_components():
    features = np.random.default_rng(0).normal(size=(20, 6)) * [1, 2, 3, 4, 5, 0]  # one feature is constant
    placed = place(features, np.arange(20))
    wanted = PCA(2).fit_transform(StandardScaler().fit_transform(features))
    assert placed.method == COMPONENTS
    assert np.allclose(pdist(placed.points), pdist(wanted), rtol=1e-5)
    some = place(features, np.arange(5))
    assert np.isfinite(some.points[:5]).all() and np.isnan(some.points[5:]).all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_sites_are_placed_too(n):
    assert np.isfinite(place(np.ones((n, 3)), np.arange(n)).points).all()


def test_of_too_many_sites_those_of_training_make_way():
    split = np.array(["train"] * 90 + ["test"] * 10)
    rows = sample(split, most=30)
    assert len(set(rows)) == 30 and set(range(90, 100)) <= set(rows)
    assert len(sample(split, most=4)) == 4 and np.array_equal(sample(split), np.arange(100))


def test_neighbours_are_the_nearest_training_sites_in_standard_deviations(tmp_path):
    path = copy_of_dataset(tmp_path)
    map_features(path, tmp_path / "map.parquet", features="chgnet+m3gnet")
    table = read_map(tmp_path / "map.parquet")
    with load(path) as data:
        cu = data["Cu_FEFF"]
        values, ids, train = cu.features("chgnet+m3gnet")[:].astype(float), np.array(cu.ids), cu.split == "train"
    values = (values - values[train].mean(0)) / values[train].std(0)
    far = cdist(values, values[train])
    table = table[table["subset"] == "Cu_FEFF"]
    assert table["x"].notna().all()
    for row, (near, away) in enumerate(zip(table["neighbours"], table["distances"], strict=True)):
        if train[row]:
            assert not len(near)
            continue
        order = np.argsort(far[row])[:3]
        assert list(near) == ids[train][order].tolist()
        assert np.allclose(away, far[row][order], rtol=1e-5)


def test_a_sample_has_all_tenths_of_each_models_errors_and_the_worst():
    rng = np.random.default_rng(1)
    errors = [rng.uniform(size=2000), rng.uniform(size=2000)]
    rows = sample_evaluated(errors, 300)
    assert 250 <= len(rows) <= 300 and np.all(np.diff(rows) > 0)
    for mse in errors:
        order = np.argsort(mse)
        assert set(order[-WORST:].tolist()) <= set(rows.tolist())
        counts = [np.isin(tenth, rows).sum() for tenth in np.array_split(order, 10)]
        assert min(counts) >= 15, counts
    assert np.array_equal(sample_evaluated([errors[0][:30]], 40), np.arange(30))
    assert not len(sample_evaluated([np.array([])], 40))


def test_packed_spectra_come_back_to_within_half_a_step():
    spectra = np.cumsum(np.random.default_rng(2).normal(size=(7, 141)), axis=1) * 1e-5
    spectra[3], spectra[4] = 0, np.where(np.arange(141) % 2, 4e-3, -4e-3)  # nothing, and the largest bends there are
    page = json.loads(zlib.decompress(base64.b64decode(packed({"here": bends(spectra), "n": 7}))))
    read = {
        name: np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"]) for name, array in page["here"].items()
    }
    unit = read["unit"].astype(float)
    found = np.cumsum(np.cumsum(read["bends"].reshape(7, 141), axis=1), axis=1) * unit[:, None]
    assert page["n"] == 7 and np.all(np.abs(found - spectra).max(axis=1) <= 0.501 * unit)
    assert np.all(unit[:3] <= np.abs(spectra).max(axis=1)[:3] / 4000)
