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
from xanesflow.report.explorer.packing import Pack
from xanesflow.report.explorer.site_chemistry import describe_sites
from xanesflow.report.figures.feature_map_figure import draw_map


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


def test_maps_are_drawn_with_what_is_known_and_the_same_each_time(tmp_path):
    path = copy_of_dataset(tmp_path)
    map_features(path, tmp_path / "map.parquet", features="m3gnet")
    describe_sites(path, tmp_path / "c.parquet", answers_file=tmp_path / "kept.jsonl")
    for name in ("one", "two"):
        draw_map(tmp_path / "map.parquet", tmp_path / "c.parquet", {"Cu_FEFF": tmp_path / f"{name}.svg"})
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    for shown in ("Oxidation state", "Coordination number", "Oxygen neighbours", "principal component 1", "+2 "):
        assert f">{shown}" in text
    draw_map(tmp_path / "map.parquet", tmp_path / "c.parquet", {"Fe_FEFF": tmp_path / "none.svg"})
    assert "Fe_FEFF has no sites" in (tmp_path / "none.svg").read_text()


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
    rng = np.random.default_rng(2)
    spectra = np.cumsum(rng.normal(size=(7, 141)), axis=1) * 1e-5
    jumps = np.where(rng.uniform(size=(3, 5)) > 0.5, 1.0, -1.0) * 4e-3  # further than two bytes of steps reach
    pack = Pack()
    described = [pack.spectra(spectra, 1e-3), pack.spectra(jumps, 1e-3)]
    pack.add([1.5, np.nan], "f32")
    raw = zlib.decompress(base64.b64decode(pack.encode({"here": described})))
    length = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + length])
    assert header["content"]["here"] == described and (4 + length) % 8 == 0
    for values, one in zip((spectra, jumps), described, strict=True):
        kind, offset, number = header["arrays"][one["data"]]
        low, high = np.frombuffer(raw, np.uint8, number, 4 + length + offset).reshape(2, one["rows"], one["columns"])
        folded = low.astype(int) + 256 * high.astype(int)
        steps = np.where(folded % 2, -(folded + 1) // 2, folded // 2)
        assert (
            kind == "u8"
            and np.abs(np.cumsum(np.cumsum(steps, axis=1), axis=1) * one["unit"] - values).max() <= 0.501 * one["unit"]
        )
        assert one["unit"] <= 1.6e-2 / 4000
