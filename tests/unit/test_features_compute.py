"""From Parquet tables to the file of features."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from features_data import copper, m3gnet_folder, pair_and_one_apart, polonium, rutile

from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import parse_features
from xanesflow.core.files import sha256_file
from xanesflow.features.compute_features import compute_features, read_features
from xanesflow.features.featurize_structures import groups
from xanesflow.features.featurizers import get_featurizer
from xanesflow.features.graph_networks.weights import M3GNET_HASH


@pytest.fixture
def tables(tmp_path):
    """Six structures, one bad, one broken and one that no site asks for; sites not in their order."""
    structures = {
        "mp-1": rutile(),
        "mp-2": polonium(),
        "mp-3": copper(),
        "mp-9": copper(),
        "mp-6": pair_and_one_apart(),
    }
    texts = {name: structure.to_json() for name, structure in structures.items()} | {"mp-4": "{no json"}
    frame = pd.DataFrame({"material_id": list(texts), "structure": list(texts.values())})
    frame.assign(formula="X", n_atoms=1).to_parquet(tmp_path / "structures.parquet")
    sites = [("mp-3", 0), ("mp-2", 0), ("mp-1", 1), ("mp-1", 0), ("mp-4", 0), ("mp-5", 0), ("mp-1", 6), ("mp-6", 1)]
    frame = pd.DataFrame(sites, columns=["material_id", "site_index"])
    frame.assign(multiplicity=1, formula="X", n_atoms=1, chunk=0).to_parquet(tmp_path / "sites.parquet")
    return tmp_path / "structures.parquet", tmp_path / "sites.parquet"


def test_sites_get_their_features_and_the_others_a_reason(tables, tmp_path, caplog):
    output = tmp_path / "results" / "features.h5"
    caplog.set_level("INFO")
    compute_features(*tables, output, featurizer="m3gnet", weights=m3gnet_folder(), config_json='{"a": 1}')
    stored = read_features(output)
    assert list(zip(stored.material_id, stored.site_index, strict=True)) == [("mp-3", 0), ("mp-1", 1), ("mp-1", 0)]
    of_copper, of_rutile = get_featurizer("m3gnet", weights=m3gnet_folder()).compute([copper(), rutile()])
    expected = np.stack([of_copper[0], of_rutile[1], of_rutile[0]])
    assert stored.features.dtype == np.float32
    assert np.abs(stored.features - expected).max() < 1e-6 * np.abs(expected).max()
    details = {(each.material_id, each.site_index): each.detail for each in stored.rejected}
    assert [each.reason for each in stored.rejected] == ["no_features"] * 5
    assert details["mp-2", 0] == "The model does not know the element Po."
    assert "cannot be read" in details["mp-4", 0]
    assert "no such material" in details["mp-5", 0]
    assert "has no neighbour" in details["mp-6", 1]
    assert "no atom 6; it has 6" in details["mp-1", 6]
    assert stored.weights_hash == M3GNET_HASH and stored.featurizer == "m3gnet"
    assert stored.attributes["dimension"] == 64 and stored.attributes["config"] == '{"a": 1}'
    assert json.loads(stored.attributes["inputs_sha256"])["sites.parquet"] == sha256_file(tables[1])
    assert {"torch", "pymatgen-core", "xanesflow"} <= set(stored.versions)
    told = caplog.text
    assert "m3gnet: 4 of 4 structures" in told  # mp-9 is not asked for, mp-4 cannot be read
    assert "features of 3 sites" in told and "5 sites without" in told


def test_descriptors_are_stored_as_other_features_are(tables, tmp_path):
    compute_features(*tables, tmp_path / "soap.h5", featurizer="soap")
    stored = read_features(tmp_path / "soap.h5")
    sites = [("mp-3", 0), ("mp-2", 0), ("mp-1", 1), ("mp-1", 0)]  # a descriptor knows polonium too
    assert list(zip(stored.material_id, stored.site_index, strict=True)) == sites
    assert stored.features.shape == (4, 1024) and stored.features.dtype == np.float32
    (of_rutile,) = get_featurizer("soap").compute([rutile()], atoms=[[1, 0]])
    assert np.array_equal(stored.features[2:], of_rutile)
    details = {(each.material_id, each.site_index): each.detail for each in stored.rejected}
    assert "no atom 6; it has 6" in details["mp-1", 6] and "has no neighbour" in details["mp-6", 1]
    assert "dscribe" in stored.versions and len(stored.weights_hash) == 64


def test_a_subset_where_nothing_works_is_still_a_file(tables, tmp_path):
    pd.DataFrame({"material_id": ["mp-2"], "site_index": [0]}).to_parquet(tables[1])
    compute_features(*tables, tmp_path / "out.h5", featurizer="m3gnet", weights=m3gnet_folder())
    assert read_features(tmp_path / "out.h5").features.shape == (0, 64)


def test_tables_without_their_columns_are_named(tables, tmp_path):
    pd.DataFrame({"material": ["mp-2"]}).to_parquet(tables[1])
    with pytest.raises(XanesflowError, match=r"sites\.parquet has no column material_id, site_index"):
        compute_features(*tables, tmp_path / "out.h5", featurizer="m3gnet")
    with pytest.raises(XanesflowError, match=r"absent\.parquet"):
        compute_features(tables[0], tmp_path / "absent.parquet", tmp_path / "out.h5", featurizer="m3gnet")
    assert not (tmp_path / "out.h5").exists()


def test_a_file_that_holds_no_features_is_named(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    for name in ("other.h5", "absent.h5"):
        with pytest.raises(XanesflowError, match=name):
            read_features(tmp_path / name)


def test_combinations_are_taken_apart():
    assert parse_features("m3gnet") == ["m3gnet"]
    assert parse_features("m3gnet_all + chgnet") == ["m3gnet_all", "chgnet"]


@pytest.mark.parametrize("name", ["", "m3gnet+", "M3GNet", "megnet", "chgnet+megnet"])
def test_unknown_features_are_told_the_known_ones(name):
    with pytest.raises(XanesflowError, match="m3gnet, m3gnet_all, chgnet"):
        parse_features(name)


def test_a_combination_is_no_featurizer():
    with pytest.raises(XanesflowError, match="not known"):
        get_featurizer("m3gnet+chgnet")


def test_groups_stay_below_the_limit_unless_one_item_is_larger():
    assert list(groups([1, 2, 3, 4, 5], [3, 3, 4, 20, 1], 7)) == [[1, 2], [3], [4], [5]]
    assert list(groups([], [], 7)) == []
