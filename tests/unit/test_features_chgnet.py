"""CHGNet's features against the package's own predictions."""

from __future__ import annotations

import numpy as np
import pytest
from features_data import copper, lonely_atom, rutile, some_structures

from xanesflow.core.errors import XanesflowError
from xanesflow.features.featurize_structures import FeatureFailure
from xanesflow.features.featurizers import get_featurizer
from xanesflow.features.graph_networks import chgnet as ours


def test_features_are_those_of_chgnets_own_prediction():
    from chgnet.model import CHGNet

    structures = [rutile(), copper(), *some_structures(5)]
    computed = get_featurizer("chgnet").compute(structures)
    model = CHGNet.load(use_device="cpu", verbose=False)
    for structure, features in zip(structures, computed, strict=True):
        reference = model.predict_structure(structure, task="em", return_atom_feas=True)
        assert features.shape == (len(structure), 65) and features.dtype == np.float32
        assert features[:, :64] == pytest.approx(
            reference["atom_fea"], abs=1e-5 * float(np.abs(reference["atom_fea"]).max())
        )
        assert features[:, 64] == pytest.approx(reference["m"], abs=1e-5)


def test_features_do_not_depend_on_the_batch():
    featurizer = get_featurizer("chgnet")
    structures = [rutile(), lonely_atom(), copper(), rutile() * (2, 1, 1)]
    together = featurizer.compute(structures)
    assert together[1] == FeatureFailure("No atom has a neighbour within 6 Å.")
    for index in (0, 2, 3):
        alone = featurizer.compute([structures[index]])[0]
        assert np.abs(together[index] - alone).max() < 1e-6 * np.abs(alone).max()


def test_other_weights_in_the_package_are_refused(monkeypatch):
    monkeypatch.setattr(ours, "CHGNET_HASH", "0" * 64)
    with pytest.raises(XanesflowError, match="SHA-256"):
        get_featurizer("chgnet")


def test_nothing_is_printed(capfd):
    get_featurizer("chgnet").compute([copper()])
    assert capfd.readouterr() == ("", "")


def test_features_of_the_cell_are_the_mean_over_its_atoms():
    structures = [rutile(), copper(), rutile() * (2, 1, 1)]
    of_atoms, of_cells = (get_featurizer(name).compute(structures) for name in ("chgnet", "chgnet_cell"))
    for atoms, cell in zip(of_atoms, of_cells, strict=True):
        assert cell.dtype == np.float32
        assert cell == pytest.approx(np.tile(atoms.mean(axis=0), (len(atoms), 1)), abs=1e-5)
