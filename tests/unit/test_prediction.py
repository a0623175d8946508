"""Predicted spectra of structures, against what evaluation predicts of the same sites, and sums done by hand."""

import json
import os
import pickle
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from feff_runs import bent_chain, layered, perovskite, poscar, rocksalt
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter
from safetensors.numpy import save
from sentences import tells
from trained_campaign import SETTINGS, START_EV, campaign, model_of, structures_of, train, write_dataset

import xanesflow
from xanesflow.core.errors import NothingPredictedError, WrongCallError, XanesflowError
from xanesflow.core.sites import parse_site_id
from xanesflow.evaluation.error_bars.calibration_file import read_calibration
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.evaluation.predictions_file import read_predictions
from xanesflow.features.featurizers import get_featurizer
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.models.network.fit import train_model
from xanesflow.prediction import site_features as features_of_prediction
from xanesflow.prediction.export_model import export_model
from xanesflow.prediction.feature_cache import FeatureCache
from xanesflow.prediction.predict_files import predict_structures
from xanesflow.prediction.predictor import Predictor
from xanesflow.prediction.read import read_prediction
from xanesflow.structures.disorder.represent import Disorder


@pytest.fixture(scope="module")
def predictor():
    return Predictor([model_of()])


@pytest.fixture
def folder(tmp_path):
    """Twelve good files and three that cannot be used."""
    place = tmp_path / "structures"
    for name, structure in list(structures_of().items())[:12]:
        (place / name).mkdir(parents=True)
        (place / name / "POSCAR").write_text(poscar(structure))
    (place / "zinc.vasp").write_text(poscar(rocksalt("Zn")))
    (place / "torn.cif").write_text("data_x\n_cell_length_a 4")
    mixed = Structure(rocksalt().lattice, [{"Cu": 0.5, "Ni": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (place / "mixed.cif").write_text(str(CifWriter(mixed)))
    return place


def test_what_python_shows_of_a_prediction_is_one_line(predictor):
    found = predictor.predict({"mp-1": rocksalt(), "zinc": rocksalt("Zn")})
    for shown in (repr(found), str(found), repr(found["Cu_FEFF"])):
        assert len(shown) < 120 and "\n" not in shown and "1 site of Cu_FEFF" in shown, shown


def test_sites_of_the_test_part_get_the_spectra_and_error_bars_that_evaluation_gives_them(predictor):
    wanted = read_predictions(campaign() / "evaluation/predictions/expert_radial_Cu_FEFF.h5")
    structures = {parse_site_id(name)[0]: structures_of()[parse_site_id(name)[0]] for name in wanted.ids}
    found = predictor.predict(structures)["Cu_FEFF"]
    assert sorted(found.ids) == sorted(wanted.ids) and found.seeds == [0, 1]
    order = [found.ids.index(name) for name in wanted.ids]
    close = {"rtol": 1e-4, "atol": 1e-9}
    assert np.allclose(found.spectra[order], wanted.predictions, **close)
    assert np.allclose(found.band_68[:, order], wanted.uncertainty.band_68, **close)
    assert np.allclose(found.band_95[:, order], wanted.uncertainty.band_95, **close)
    assert np.allclose(found.error[order], wanted.uncertainty.error, **close)
    assert np.allclose(found.error_95[order], wanted.uncertainty.error_95, **close)
    assert np.allclose(found.distance[order], wanted.uncertainty.distance, rtol=1e-3, atol=1e-3)
    assert np.array_equal(found.energy_ev, START_EV["Cu"] + 0.25 * np.arange(141))


def test_a_material_is_the_mean_of_its_sites_by_their_multiplicities_and_so_is_its_band(predictor):
    found = predictor.predict({"a": layered(), "b": perovskite()})["Cu_FEFF"]
    assert found.ids == ["a_002", "a_003", "b_001"] and found.multiplicity.tolist() == [1, 2, 1]
    assert found.averages.material_id == ["a", "b"] and found.averages.n_atoms.tolist() == [3, 1]
    assert np.allclose(found.averages.spectra[0], (found.spectra[0] + 2 * found.spectra[1]) / 3, rtol=1e-12)
    assert np.allclose(found.averages.band_95[1, 0], (found.band_95[1, 0] + 2 * found.band_95[1, 1]) / 3, rtol=1e-12)
    assert np.array_equal(found.averages.spectra[1], found.spectra[2])


def test_a_distance_limit_is_what_99_of_100_training_sites_are_from_other_materials():
    rng = np.random.default_rng(0)
    points, materials = rng.normal(size=(60, 3)), [f"mp-{k // 3}" for k in range(60)]
    sites = TrainingSites.fit(points, materials)
    standard = (points - points.mean(axis=0)) / points.std(axis=0)
    nearest = [
        min(np.linalg.norm(a - b) for b, n in zip(standard, materials, strict=True) if n != m)
        for a, m in zip(standard, materials, strict=True)
    ]
    assert sites.limit == pytest.approx(np.quantile(nearest, 0.99), rel=1e-5)
    assert TrainingSites.fit(points, ["mp-1"] * 60).limit is None and TrainingSites.fit(points).limit is None


def test_a_structure_unlike_the_training_data_is_told_and_one_of_them_is_not(predictor):
    strange = perovskite(partner="Sr", a=9.0)
    found = predictor.predict({"known": next(iter(structures_of().values())), "strange": strange})
    cu = found["Cu_FEFF"]
    limit = read_calibration(campaign() / "evaluation/calibration/expert_radial_Cu_FEFF.h5").sites.limit
    assert cu.limit == limit and dict(zip(cu.material_id, cu.unlike.tolist(), strict=True))["strange"]
    assert not dict(zip(cu.material_id, cu.unlike.tolist(), strict=True))["known"]
    assert any("strange_001" in each and "unlike all" in each for each in found.remarks)


def test_models_of_several_elements_each_predict_their_own_sites():
    both = Structure(perovskite().lattice, ["Ti", "Cu", "O", "O", "O"], perovskite().frac_coords)
    found = xanesflow.predict({"x": both, "y": perovskite()}, [model_of(), model_of("Ti_FEFF")])
    assert list(found.subsets) == ["Cu_FEFF", "Ti_FEFF"]
    assert found["Cu_FEFF"].ids == ["x_001", "y_001"] and found["Ti_FEFF"].ids == ["x_000"]
    assert found["Ti_FEFF"].energy_ev[0] == START_EV["Ti"]
    alone = xanesflow.predict({"x": both}, [model_of(), model_of("Ti_FEFF")], subsets=["Ti_FEFF"])
    assert list(alone.subsets) == ["Ti_FEFF"] and np.allclose(alone["Ti_FEFF"].spectra, found["Ti_FEFF"].spectra)
    lone = xanesflow.predict(both, model_of())
    assert any("Ti is in 1 structure" in each for each in lone.remarks)


def test_of_a_folder_the_good_ones_are_predicted_and_the_others_listed_with_their_reasons(folder, tmp_path):
    output = tmp_path / "out.h5"
    found = predict_structures([folder], [model_of()], output)
    names = list(structures_of())[:12]
    assert set(found["Cu_FEFF"].material_id) == set(names)
    table = pd.read_csv(tmp_path / "out_rejected.csv").set_index("material_id")
    assert table["reason"].to_dict() == {"mixed": "disordered", "torn": "no_structure", "zinc": "no_absorber"}
    assert "OZn" in table["detail"]["zinc"] or "ZnO" in table["detail"]["zinc"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.h5", "out_rejected.csv", "structures"]
    again = read_prediction(output)
    assert again.rejected == found.rejected and again.remarks == found.remarks
    assert np.array_equal(again["Cu_FEFF"].band_95, found["Cu_FEFF"].band_95)
    assert np.array_equal(again["Cu_FEFF"].averages.spectra, found["Cu_FEFF"].averages.spectra)
    assert json.loads(again.made["models"])[0]["of"] == "Cu_FEFF" and "torch" in again.made["versions"]


def test_a_table_brings_the_numbers_back(predictor, tmp_path):
    found = predictor.predict({"a": layered()})
    found.write(tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv", comment="#")
    assert len(table) == 3 * 141 and table["site_index"].unique().tolist() == [2, 3, -1]
    one = table[table["site_index"] == 3]
    assert np.allclose(one["cross_section"], found["Cu_FEFF"].spectra[1], rtol=1e-6)
    assert np.allclose(one["upper_95"], found["Cu_FEFF"].band_95[1, 1], rtol=1e-6)
    assert np.allclose(one["energy_eV"], found["Cu_FEFF"].energy_ev, rtol=0, atol=1e-9)
    assert (table[table["site_index"] == -1]["multiplicity"] == 3).all()


def test_a_killed_run_goes_on_with_the_features_of_the_batches_that_were_done(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(features_of_prediction, "BATCH", 4)
    whole = predict_structures([folder], [model_of()], tmp_path / "whole.h5")
    asked = []
    made = get_featurizer("radial")

    class Dies:
        name, weights_hash, dimension, packages = "radial", made.weights_hash, made.dimension, made.packages
        after = 2

        def compute(self, structures, progress, atoms):
            asked.append(len(structures))
            if len(asked) > self.after:
                raise KeyboardInterrupt
            return made.compute(structures, progress, atoms)

    monkeypatch.setattr(features_of_prediction, "get_featurizer", lambda *_, **__: Dies())
    output = tmp_path / "out.h5"
    with pytest.raises(KeyboardInterrupt):
        predict_structures([folder], [model_of()], output)
    assert not output.exists() and len(list(FeatureCache.beside(output).folder.glob("*.npz"))) == 2
    torn = sorted(FeatureCache.beside(output).folder.glob("*.npz"))[0]
    torn.write_bytes(torn.read_bytes()[:-30])
    Dies.after = 99
    asked.clear()
    found = predict_structures([folder], [model_of()], output)
    assert asked == [4, 4], "one batch was kept, one was torn, one was never done"
    assert np.array_equal(found["Cu_FEFF"].spectra, whole["Cu_FEFF"].spectra)
    assert not FeatureCache.beside(output).folder.exists()


def test_one_seed_of_two_predicts_without_the_ensembles_error_bars_and_says_why():
    found = xanesflow.predict(perovskite(), model_of() / "seed0.safetensors")
    cu = found["Cu_FEFF"]
    assert cu.band_95 is None and cu.unlike is None and cu.ids == ["structure_0_001"]
    assert "of the seeds [0, 1], not [0]" in cu.uncalibrated and any("no error bars" in each for each in found.remarks)
    values = get_featurizer("radial").compute([perovskite()])[0][[1]]
    assert np.allclose(cu.spectra, load_checkpoint(model_of() / "seed0.safetensors").predict(values), rtol=1e-5)


def test_too_few_spectra_for_error_bars_still_tell_what_is_unlike_also_when_exported(tmp_path):
    with h5py.File(write_dataset(tmp_path / "d.h5"), "a") as file:
        split = file["Cu_FEFF/split"].asstr()[:]
        split[np.flatnonzero(split == "val")[5:]] = "test"
        del file["Cu_FEFF/split"]
        file["Cu_FEFF/split"] = split.tolist()
    folder = train(tmp_path, tmp_path / "d.h5", seeds=(0,))
    given = {"known": next(iter(structures_of().values())), "strange": perovskite(partner="Sr", a=9.0)}
    for model in (folder, export_model([folder], tmp_path / "shared")):
        found = xanesflow.predict(given, model)
        cu = found["Cu_FEFF"]
        assert cu.band_95 is None and "too few to calibrate" in cu.uncalibrated
        assert cu.unlike.tolist() == [name == "strange" for name in cu.material_id]
        assert found.sites()["error"].isna().all() and "unlike" in found.pandas()


def test_the_weights_of_the_featurizer_must_be_those_of_the_training(tmp_path):
    folder = train(tmp_path, write_dataset(tmp_path / "d.h5", weights_hash="c" * 64), seeds=(0,))
    with tells("c" * 16, get_featurizer("radial").weights_hash[:16]):
        xanesflow.predict(perovskite(), folder)


def test_an_atom_without_neighbours_is_left_out_and_its_material_has_no_average(predictor):
    far = Structure(
        [[40, 0, 0], [0, 40, 0], [0, 0, 60]], ["Cu", "O", "Cu"], [[0, 0, 0], [0.045, 0, 0], [0.5, 0.5, 0.5]]
    )
    found = predictor.predict({"far": far, "good": perovskite()})
    assert found["Cu_FEFF"].ids == ["far_000", "good_001"] and found["Cu_FEFF"].averages.material_id == ["good"]
    assert [(r.material_id, r.site_index, r.reason) for r in found.rejected] == [("far", 2, "no_features")]


@pytest.mark.parametrize(
    ("structures", "words"),
    [
        (lambda _: rocksalt("Zn"), ("Zn", "the models are of Cu")),
        (lambda _: Structure(rocksalt().lattice, [{"Cu": 0.5}, "O"], rocksalt().frac_coords), ("partially occupied",)),
        (lambda path: path / "none.cif", ("There is no structure file", "none.cif")),
        (lambda path: path, ("holds no structure", "<id>.cif")),
        (lambda _: [], ("No structure was given",)),
        (lambda _: {"a/b <i>": rocksalt()}, ("'a/b <i>' cannot name a structure",)),
        (lambda path: _written(path / "cut.vasp", poscar(bent_chain())[:200]), ("cut", "cannot be read")),
        (lambda path: _written(path / "b.cif", b"\x00\x01\x02"), ("binary",)),
    ],
    ids=["other element", "disordered", "no file", "empty folder", "nothing", "odd id", "cut short", "binary"],
)
def test_a_structure_that_cannot_be_used_is_told_in_a_sentence(predictor, tmp_path, structures, words):
    with tells(*words):
        predictor.predict(structures(tmp_path))


def _half_a_model():
    content = (model_of() / "seed0.safetensors").read_bytes()
    return content[: len(content) // 2]


def _written(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_two_different_structures_of_one_name_are_both_left_out_and_the_same_twice_is_one(predictor, tmp_path):
    for place, structure in (("a", rocksalt()), ("b", rocksalt(a=4.5)), ("c", perovskite())):
        (tmp_path / place / "x").mkdir(parents=True)
        (tmp_path / place / "x" / "POSCAR").write_text(poscar(structure))
    paths = [tmp_path / place / "x" / "POSCAR" for place in "ab"]
    with pytest.raises(NothingPredictedError, match="2 different structures have the id x"):
        predictor.predict(paths)
    assert predictor.predict([paths[0], paths[0]])["Cu_FEFF"].ids == ["x_000"]


def test_a_structure_that_is_named_as_a_cell_of_another_one_is_left_out(predictor):
    found = predictor.predict({"x": rocksalt(), "x.cell1": perovskite()})
    assert found["Cu_FEFF"].ids == ["x_000"] and found["Cu_FEFF"].averages.n_sites.tolist() == [1]
    assert found.rejected[0].detail.startswith("x.cell1 is the name of a cell that represents x,")


def _folder_with_an_old_seed(path):
    """A model's folder with the seed of a configuration of before, which had more seeds and another dropout."""
    folder = shutil.copytree(model_of(), path / "m")
    old = replace(SETTINGS, dropout=0.5, max_epochs=1)
    train_model("expert", campaign() / "d.h5", {2: folder / "seed2.safetensors"}, subsets=["Cu_FEFF"],
                features="radial", settings=old)  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (lambda path: _written(path / "m.safetensors", save({"w": np.zeros(3)})),
         ("m.safetensors", "no model of this version")),
        (lambda path: _written(path / "m.pt", pickle.dumps({"a": os.system})), ("m.pt", "not a model file")),
        (lambda path: _written(path / "seed0.safetensors", _half_a_model()), ("seed0.safetensors", "damaged")),
        (lambda path: _written(path / "empty.safetensors", b""), ("not a model file",)),
        (lambda _: campaign() / "d.h5", ("an HDF5 file, such as a dataset, not a model",)),
        (lambda path: path / "nowhere", ("There is no model",)),
        (lambda path: path, ("holds no model",)),
        (lambda _: campaign() / "models", ("holds no model", "expert_radial_Cu_FEFF")),
        (lambda _: [], ("There is no model to predict with",)),
        (lambda path: [model_of(), _seed_of_other_data(path)], ("different data", "not seeds of one model")),
        (lambda path: [model_of(), shutil.copy(model_of() / "seed0.safetensors", path)], ("the same seed 0",)),
        (_folder_with_an_old_seed, ("seed2.safetensors is no seed of the same model as", "seed0.safetensors",
                                    "dropout 0.5 (not 0.0), max_epochs 1 (not 30)", "delete the one that an earlier")),
    ],
    ids=["safetensors", "pickle", "cut short", "empty", "dataset", "absent", "empty folder", "results", "none",
         "other data", "twice", "other settings"],
)  # fmt: skip
def test_what_is_no_model_is_told_in_a_sentence(tmp_path, models, words):
    with tells(*words):
        xanesflow.predict(perovskite(), models(tmp_path))


def _seed_of_other_data(path):
    """The checkpoint of another seed and other data."""
    with h5py.File(write_dataset(path / "d.h5"), "a") as file:
        file["Cu_FEFF/spectra"][:] *= 1.1
    return train(path, path / "d.h5", seeds=(7,)) / "seed7.safetensors"


def test_a_calibration_of_another_model_is_refused(tmp_path):
    other = campaign() / "evaluation/calibration/expert_radial_Ti_FEFF.h5"
    with pytest.raises(XanesflowError, match=r"calibration of another model .* Ti_FEFF"):
        Predictor(model_of(), calibrations=[other])
    moved = tmp_path / "moved"
    shutil.copytree(model_of(), moved)
    assert "no calibration was found" in Predictor(moved).models[0].uncalibrated["Cu_FEFF"]
    own = campaign() / "evaluation/calibration/expert_radial_Cu_FEFF.h5"
    assert Predictor(moved, calibrations=[own]).models[0].calibrations.keys() == {"Cu_FEFF"}
    with pytest.raises(XanesflowError, match="is not a calibration"):
        Predictor(moved, calibrations=[campaign() / "d.h5"])


@pytest.mark.parametrize(
    ("subset", "words"),
    [
        ("Zn_FEFF", ("None of the models given predicts Zn;", "cover Cu_FEFF")),
        ("Cu_VASP", ("predicts Cu at the level of theory VASP, only at FEFF",)),
        ("copper", ("'copper' is not a subset",)),
    ],
)
def test_an_element_or_theory_without_a_model_is_told_with_those_that_have_one(predictor, subset, words):
    with tells(*words):
        predictor.predict(perovskite(), subsets=[subset])


@pytest.mark.parametrize("change", ["version", "schema", "cut", "text"])
def test_a_file_that_is_no_prediction_of_this_version_is_told(predictor, tmp_path, change):
    path = tmp_path / "p.h5"
    predictor.predict(perovskite()).write(path)
    if change == "text":
        path.write_text("hello")
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:3000])
    else:
        with h5py.File(path, "a") as file:
            file.attrs["schema" if change == "schema" else "schema_version"] = "9.0"
    with pytest.raises(XanesflowError, match=r"p\.h5 (has schema version 9|is an HDF5 file, but no|cannot be read as)"):
        read_prediction(path)


def test_one_site_of_each_structure(predictor):
    every = predictor.predict(layered())["Cu_FEFF"]
    index = int(every.site_index[-1])
    found = predictor.predict({"a": layered(), "b": rocksalt("Ni")} | {"c": layered()}, site=index)
    each = found["Cu_FEFF"]
    assert each.ids == [f"a_{index:03d}", f"c_{index:03d}"] and np.allclose(each.spectra[0], every.spectra[-1])
    if len(every) > 1:
        assert each.averages.material_id == [], "one site is not the whole material"
    assert set(found.pandas()["site_index"]) == {index}, "and so the table has no average"
    with pytest.raises(NothingPredictedError, match=r"site 99 of \S+ does not exist among its \d+ atoms; Cu is at"):
        predictor.predict(layered(), site=99)
    with tells(match="Atoms are counted from 0; give a site of 0 or more", error=WrongCallError):
        predictor.predict(layered(), site=-1)
    oxygen = next(k for k, site in enumerate(layered()) if site.specie.symbol != "Cu")
    with pytest.raises(NothingPredictedError, match=rf"site {oxygen} of \S+ is \w+; Cu is at"):
        predictor.predict(layered(), site=oxygen)


def test_the_cells_of_a_disordered_crystal_are_averaged(predictor, folder):
    mixed = folder / "mixed.cif"
    with pytest.raises(NothingPredictedError, match="partially occupied"):
        predictor.predict([mixed])
    disorder = Disorder("random", number=2, max_atoms=16)
    found = predictor.predict([mixed], disorder=disorder)
    each = found["Cu_FEFF"]
    assert {name.partition("_")[0] for name in each.ids} == {"mixed.cell1", "mixed.cell2"}
    assert each.averages.material_id == ["mixed", "mixed.cell1", "mixed.cell2"]
    weights = each.multiplicity / each.multiplicity.sum()
    assert np.allclose(each.averages.spectra[0], weights @ each.spectra)
    assert each.averages.n_atoms[0] == each.multiplicity.sum()
    table = found.pandas().query("site_index == -1")
    assert table.groupby("material_id")["multiplicity"].first().loc["mixed"] == each.multiplicity.sum()
    with pytest.raises(XanesflowError, match="other numbers"):
        predictor.predict([mixed], disorder=disorder, site=0)
