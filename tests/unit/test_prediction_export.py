"""A model as a folder to share: it predicts the same, holds nothing of this machine, and notices changes."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from command_line import answer
from feff_runs import layered, perovskite, poscar
from trained_campaign import campaign, model_of

import xanesflow
from xanesflow.core.errors import XanesflowError
from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.evaluation.predictions_file import read_predictions
from xanesflow.features.featurizers import get_featurizer
from xanesflow.prediction.export_model import export_model
from xanesflow.prediction.trained_models import load_models


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return export_model([model_of()], tmp_path_factory.mktemp("share") / "cu")


@pytest.fixture
def copied(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "cu")


def test_it_predicts_what_the_model_predicts_with_the_same_error_bars_wherever_it_is(copied):
    given = {"a": layered(), "b": perovskite()}
    there, here = (xanesflow.predict(given, model)["Cu_FEFF"] for model in (copied, model_of()))
    for name in ("spectra", "band_95", "error_95", "distance"):
        assert np.array_equal(getattr(there, name), getattr(here, name))
    assert there.limit == here.limit is not None


def test_it_holds_no_path_of_this_machine_and_the_hashes_of_all_its_files(exported):
    names = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert names == {
        "LICENSE", "README.md", "SHA256SUMS", "calibration/Cu_FEFF.h5", "model.json", "seed0.safetensors",
        "seed1.safetensors",
    }  # fmt: skip
    listed = dict(line.split("  ")[::-1] for line in (exported / "SHA256SUMS").read_text().splitlines())
    assert listed.keys() == names - {"SHA256SUMS"}
    for name, sha in listed.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == sha
        content = (exported / name).read_bytes()
        assert b"/data/of/somebody" not in content and str(campaign()).encode() not in content
    assert b"/data/of/somebody" in (model_of() / "seed0.safetensors").read_bytes()


def test_the_same_model_gives_the_same_bytes(exported, tmp_path):
    again = export_model([model_of() / "seed1.safetensors", model_of() / "seed0.safetensors"], tmp_path / "again")
    assert (again / "SHA256SUMS").read_text() == (exported / "SHA256SUMS").read_text()


def test_the_card_tells_how_good_it_is_on_the_test_part_and_what_it_was_trained_on(exported):
    judged = read_predictions(campaign() / "evaluation/predictions/expert_radial_Cu_FEFF.h5")
    eta = compute_metrics(judged.spectra, judged.predictions, judged.baseline).eta
    about, card = json.loads((exported / "model.json").read_text()), (exported / "README.md").read_text()
    assert about["subsets"]["Cu_FEFF"]["evidence"]["eta"] == eta
    assert f"| Cu_FEFF | test | {len(judged.ids)} | {eta:.2f} |" in card
    model = load_models([model_of()])[0]
    for fact in (model.card.dataset_sha256, get_featurizer("radial").weights_hash, "CC-BY-4.0", "arXiv:2409.19552"):
        assert fact in card
    assert f"| Cu_FEFF | {model.card.n_train} |" in card and "torch" in card


def test_predictions_of_other_checkpoints_are_no_evidence(tmp_path):
    with pytest.raises(XanesflowError, match="another model"):
        export_model(
            [model_of()], tmp_path / "x", predictions=[campaign() / "evaluation/predictions/expert_radial_Ti_FEFF.h5"]
        )
    one = export_model([model_of() / "seed0.safetensors"], tmp_path / "one")
    assert (
        "| not evaluated |" in (one / "README.md").read_text()
        and "has no error bars" in (one / "README.md").read_text()
    )
    assert xanesflow.predict(perovskite(), one)["Cu_FEFF"].band_95 is None
    assert sorted(each.name for each in tmp_path.iterdir()) == ["one"]


def test_an_exported_folder_keeps_its_scores_and_some_of_its_seeds_have_none(copied, tmp_path):
    again = export_model([copied], tmp_path / "again")
    stored, found = (json.loads((each / "model.json").read_text()) for each in (copied, again))
    assert found["subsets"] == stored["subsets"] and found["subsets"]["Cu_FEFF"]["evidence"] is not None
    assert "belongs to another ensemble" in load_models([copied / "seed0.safetensors"])[0].uncalibrated["Cu_FEFF"]
    shutil.rmtree(copied / "calibration")
    one = export_model([copied / "seed0.safetensors"], tmp_path / "one")
    assert json.loads((one / "model.json").read_text())["subsets"]["Cu_FEFF"]["evidence"] is None


def test_two_models_or_a_folder_that_is_there_are_refused(exported, tmp_path):
    with pytest.raises(XanesflowError, match="These are 2 models"):
        export_model([model_of(), model_of("Ti_FEFF")], tmp_path / "x")
    with pytest.raises(XanesflowError, match="nothing is overwritten"):
        export_model([model_of()], exported)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda f: (f / "seed1.safetensors").write_bytes((f / "seed1.safetensors").read_bytes()[:-9]), "cut short, or"),
        (lambda f: (f / "seed1.safetensors").unlink(), "lacks seed1.safetensors"),
        (lambda f: (f / "calibration/Cu_FEFF.h5").write_bytes(b"x"), "Cu_FEFF.h5 does not match"),
        (lambda f: (f / "SHA256SUMS").unlink(), "SHA256SUMS cannot be read"),
        (lambda f: (f / "SHA256SUMS").write_text("a" * 64 + "  ../secret\n"), "outside of the folder"),
        (lambda f: _changed(f, "format", "xanesflow model folder 9"), "folder 9', not 'xanesflow model folder 1'"),
        (lambda f: _changed(f, "checkpoints", 3), "model.json is damaged"),
        (lambda f: _changed(f, "checkpoints", {"0": "../seed0.safetensors"}), "which SHA256SUMS does not list"),
    ],
    ids=["cut", "missing", "calibration", "no hashes", "outside", "version", "damaged", "not listed"],
)
def test_a_folder_that_was_changed_is_refused_in_a_sentence(copied, fault, words):
    fault(copied)
    with pytest.raises(XanesflowError, match=words):
        load_models([copied])


def _changed(folder, key, value):
    """model.json with another value, and its hash put right."""
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    sums = [line for line in sums if not line.endswith("model.json")]
    sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  model.json")
    (folder / "SHA256SUMS").write_text("\n".join(sums))


def test_the_commands_export_a_model_tell_what_it_is_and_predict_with_it(tmp_path):
    code, said = answer("model", "export", model_of(), "--out", tmp_path / "cu", "--creator", "A <b> & Co")
    assert code == 0 and str(tmp_path / "cu") in said
    assert "A &lt;b&gt; &amp; Co" in (tmp_path / "cu/README.md").read_text()
    code, said = answer("model", "info", tmp_path / "cu", "--json")
    told = json.loads(said)[0]
    assert code == 0 and told["of"] == "Cu_FEFF" and told["subsets"]["Cu_FEFF"]["evidence"]["part"] == "test"
    code, said = answer("model", "info", model_of())
    assert code == 0 and "expert model of Cu_FEFF on radial, seeds 0, 1" in said
    (tmp_path / "x.vasp").write_text(poscar(perovskite()))
    code, said = answer("predict", tmp_path / "x.vasp", "-m", tmp_path / "cu", "-o", tmp_path / "x.h5")
    assert code == 0 and "expert Cu_FEFF" in said
    code, said = answer("model", "info", campaign() / "d.h5")
    assert code == 2 and "not a model" in said
