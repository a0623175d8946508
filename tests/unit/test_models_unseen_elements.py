"""Delta models judged on materials with an element that their training never saw."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from delta_data import world
from feff_runs import layered, perovskite

from xanesflow.core.sites import parse_site_id
from xanesflow.models.delta import unseen_elements as module
from xanesflow.models.delta.delta_model import DeltaSettings, fit_delta
from xanesflow.models.delta.learning_curve import only_train_on
from xanesflow.models.delta.unseen_elements import (
    COLUMNS,
    draw_unseen_elements,
    elements_of_materials,
    geometric_means,
    score_unseen_elements,
    unseen_elements,
)

SETTINGS = DeltaSettings("feff8l")


@pytest.fixture(scope="module")
def data():
    return world(n_train=100, n_val=30, n_test=30)


@pytest.fixture(scope="module")
def elements(data):
    """Oxygen everywhere, La in the first 20 materials of two training sites and four of validation, Ba in 10 sites."""
    materials = dict.fromkeys(parse_site_id(name)[0] for name in data.ids)
    found = {material: {"Cu", "O"} for material in materials}
    for material in [*list(found)[:20], "mp-100", "mp-101", "mp-102", "mp-103"]:
        found[material].add("La")
    for material in list(found)[20:25]:
        found[material].add("Ba")
    return {material: frozenset(each) for material, each in found.items()}


def test_training_never_sees_the_element_that_judges(data, elements):
    found = unseen_elements(data, SETTINGS, elements)
    assert found["element"].tolist() == ["La"]  # oxygen is everywhere, and Ba is too rare
    row = found.iloc[0]
    assert (row["sites"], row["n_train"]) == (40 + 4, 60)
    judged, train = [*range(40), *range(100, 104)], list(range(40, 100))
    model = fit_delta(only_train_on(data, np.array(train)), SETTINGS)
    errors = [
        np.median(((predicted - data.spectra[judged]) ** 2).mean(axis=1))
        for predicted in (
            data.spectra[train].mean(axis=0),
            model.predict(data.features[judged]),
            model.from_structure_alone(data.features[judged]),
        )
    ]
    assert row["eta"] == pytest.approx(errors[0] / errors[1], rel=1e-9)
    assert row["eta_structure"] == pytest.approx(errors[0] / errors[2], rel=1e-9)
    assert row["eta"] > 2 * row["eta_structure"]


def test_the_most_frequent_elements_are_left_out_first(data, elements, monkeypatch):
    monkeypatch.setattr(module, "FEWEST_SITES", 10)
    assert unseen_elements(data, SETTINGS, elements)["element"].tolist() == ["La", "Ba"]
    assert unseen_elements(data, SETTINGS, elements, most=1)["element"].tolist() == ["La"]


def test_an_element_that_leaves_one_material_to_learn_from_is_not_left_out(data, elements, monkeypatch):
    monkeypatch.setattr(module, "FEWEST_SITES", 10)
    of_one = replace(data, ids=[f"mp-1000_{k:03d}" if 40 <= k < 100 else name for k, name in enumerate(data.ids)])
    found = unseen_elements(of_one, SETTINGS, {**elements, "mp-1000": frozenset({"Cu", "O"})})
    assert found.empty


def test_means_are_geometric():
    table = pd.DataFrame({"eta": [2.0, 8.0], "eta_structure": [1.0, 4.0]})
    assert geometric_means(table) == pytest.approx((4.0, 2.0))


def test_elements_come_from_the_datasets_structures(tmp_path, caplog):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["structures/mp-1"] = json.dumps(layered().as_dict())
        file["structures/mp-2@Cu_FEFF"] = json.dumps(perovskite().as_dict())
    found = elements_of_materials(tmp_path / "d.h5", "Cu_FEFF", ["mp-1", "mp-2", "mp-3"])
    for name, structure in (("mp-1", layered()), ("mp-2", perovskite())):
        assert found[name] == {element.symbol for element in structure.elements}
    assert found["mp-3"] == frozenset()
    assert "1 of 3 materials have no structure" in caplog.text


def test_the_rule_writes_table_and_figure(data, elements, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "read_subset", lambda *_: data)
    monkeypatch.setattr(module, "elements_of_materials", lambda *_: elements)
    outputs = {"table": tmp_path / "u.csv", "drawing": tmp_path / "u.svg"}
    score_unseen_elements("d.h5", subset="Cu_FEFF", features="radial+feff8l", cheap_features="feff8l", **outputs)
    assert pd.read_csv(outputs["table"])["element"].tolist() == ["La"]
    assert "La (44)" in outputs["drawing"].read_text()


def test_a_figure_without_elements_says_so(tmp_path):
    draw_unseen_elements(tmp_path / "u.svg", pd.DataFrame(columns=COLUMNS), "delta of Cu_FEFF")
    assert "no element is in 30 sites or more" in (tmp_path / "u.svg").read_text()
