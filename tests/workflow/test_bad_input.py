"""A user's mistake gets one sentence with its place; a bad run gets its line in the rejected table."""

import json
import shutil
import tarfile
from functools import partial

import pandas as pd
import pytest
from feff_runs import layered, poscar, write_archive
from workflow import run, take_over, write_config, write_import_config

from xanesflow.prediction.read import read_prediction


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"curation": {"envelop": 3}}, "'curation.envelop' is not a known key; did you mean 'envelope'?"),
        ({"simulations": {"archive": "nowhere.tar"}}, "nowhere.tar, which does not exist"),
    ],
)
def test_a_wrong_configuration_is_told_before_anything_is_planned(tmp_path, runs, settings, told):
    write_config(tmp_path, **{"subsets": ["Cu_FEFF"], "simulations": {"archive": str(runs)}, **settings})
    printed = run(tmp_path, "--dry-run", good=False)
    assert told in printed
    assert "Traceback" not in printed
    assert "Building DAG" not in printed


def test_what_fails_says_why_and_the_other_subsets_are_finished(tmp_path, runs):
    broken = tmp_path / "cut.tar.gz"
    with tarfile.open(broken, "w:gz") as packed:
        packed.add(runs / "Cu", "Ni")
    broken.write_bytes(broken.read_bytes()[:-2000])
    (tmp_path / "empty").mkdir()
    archives = {"Cu_FEFF": str(runs), "Ni_FEFF": str(broken), "Ti_FEFF": "empty", "Ti_VASP": str(runs)}
    write_config(tmp_path, subsets=list(archives), simulations={"archive": archives})
    printed = run(tmp_path, "spectra", good=False)
    assert "cut.tar.gz is damaged or incomplete" in printed
    assert "empty holds no FEFF run of Ti" in printed
    assert "holds no VASP run of Ti: looked for <element>/<material id>/VASP/<site>_Ti/OUTCAR" in printed
    assert "Traceback" not in printed
    assert (tmp_path / "results/spectra/Cu_FEFF.h5").exists()
    assert not (tmp_path / "results/spectra/Ni_FEFF.h5").exists()
    assert not list((tmp_path / "results/simulations/Ni_FEFF").glob("*"))


@pytest.fixture
def imported(tmp_path, finished, runs):
    """The archive, which is imported already in the test's directory."""
    take_over(finished, tmp_path, "structures", "simulations")
    return runs


@pytest.mark.parametrize(
    ("target", "settings", "told"),
    [
        ("features", {"features": {"m3gnet_weights": "weights"}}, ["weights", "features.m3gnet_weights"]),
        (
            "results/dataset/splits/Cu_FEFF.csv",
            {"curation": {"envelope": {"FEFF": 1e-3}}},
            ["Cu_FEFF: no spectrum is left", "outside_envelope"],
        ),
    ],
)
def test_a_mistake_that_shows_later_is_told_by_its_job(tmp_path, imported, target, settings, told):
    write_config(tmp_path, subsets=["Cu_FEFF"], simulations={"archive": str(imported)}, **settings)
    printed = run(tmp_path, target, good=False)
    assert all(words in printed for words in told), printed
    assert "Traceback" not in printed


def test_an_empty_test_part_and_too_few_spectra_are_told(tmp_path):
    sites = write_archive(tmp_path / "runs", materials=12)
    materials = sorted({site.rsplit("_", 1)[0] for site in sites})
    (tmp_path / "splits").mkdir()
    for part, some in (("train", materials[:9]), ("val", materials[9:]), ("test", [])):
        named = [site for site in sites if site.rsplit("_", 1)[0] in some]
        (tmp_path / f"splits/Cu_FEFF_{part}.txt").write_text("\n".join(named))
    configure = partial(write_import_config, tmp_path, "runs", "chgnet", envelope=None)
    configure()
    printed = run(tmp_path, "dataset", good=False)
    assert "too few for a split" in printed
    configure(splits={"files": "splits"})
    printed = run(tmp_path, "evaluation")
    assert "evaluation.part: val" in printed
    assert pd.read_csv(tmp_path / "results/evaluation/metrics.csv")["eta"].isna().all()
    configure(splits={"files": "splits"}, evaluation={"part": "val"})
    run(tmp_path, "evaluation")
    assert pd.read_csv(tmp_path / "results/evaluation/metrics.csv")["part"].tolist() == ["val"]


def test_bad_runs_are_listed_each_with_its_reason_and_stop_no_other(tmp_path):
    sites = write_archive(tmp_path / "runs")
    runs = [tmp_path / f"runs/Cu/{s.rsplit('_', 1)[0]}/FEFF-XANES/{s.rsplit('_', 1)[1]}_Cu" for s in sites]
    alone = [r for r in runs if len(list(r.parent.iterdir())) == 1]  # of materials with one site
    xmu, out = "xmu.dat", "feff.out"
    expected = {}

    def damage(reason, change):
        run_folder = alone.pop()
        change(run_folder)
        expected[run_folder.parents[1].name] = reason

    damage("no_output", lambda r: (r / xmu).unlink())
    damage("no_output", lambda r: (r / xmu).write_bytes(b""))
    damage("truncated", lambda r: (r / xmu).write_bytes((r / xmu).read_bytes()[:4000]))
    damage("unreadable", lambda r: (r / xmu).write_bytes(bytes(range(256)) * 30))
    damage("not_converged", lambda r: (r / out).unlink())
    damage("truncated", lambda r: (r / out).write_bytes((r / out).read_bytes()[:700]))
    damage("no_structure", lambda r: (r.parents[1] / "POSCAR").write_text("no structure\n"))
    damage("no_structure", lambda r: (r.parents[1] / "POSCAR").unlink())
    damage("wrong_absorber", lambda r: r.rename(r.parent / "099_Cu"))
    damage("no_run", lambda r: shutil.rmtree(r.parent))
    damage("duplicate", lambda r: shutil.copytree(r, r.parent / r.name.lstrip("0").rjust(4, "0")))
    damage("unsafe_file", lambda r: None)
    unsafe = list(expected)[-1]

    def harmless(info):
        """Turn one run's spectrum into a link out of the archive."""
        if f"/{unsafe}/" in info.name and info.name.endswith(xmu):
            info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0
        return info

    with tarfile.open(tmp_path / "runs.tar", "w") as packed:
        packed.add(tmp_path / "runs", ".", filter=harmless)
    write_import_config(tmp_path, "runs.tar", envelope=None)
    run(tmp_path, "spectra")
    table = pd.read_csv(tmp_path / "results/spectra/Cu_FEFF_rejected.csv")
    assert dict(zip(table["material_id"], table["reason"], strict=True)) == expected
    assert table["detail"].str.len().min() > 10
    import h5py

    with h5py.File(tmp_path / "results/spectra/Cu_FEFF.h5") as file:
        kept = {f"{m}_{i:03d}" for m, i in zip(file["material_id"].asstr()[:], file["site_index"][:], strict=True)}
    gone = {material for material, reason in expected.items() if reason != "duplicate"}
    assert kept == {site for site in sites if site.rsplit("_", 1)[0] not in gone}


def test_of_a_folder_to_predict_the_good_structures_have_spectra_and_the_others_a_reason(finished, tmp_path):
    campaign, folder = shutil.copytree(finished, tmp_path / "campaign"), tmp_path / "structures"
    folder.mkdir()
    assert "predict.structures is not set; name a folder" in run(campaign, "predict", "--dry-run", good=False)
    (folder / "good.vasp").write_text(poscar(layered()))
    (folder / "zinc.vasp").write_text(poscar(layered("Zn")))
    (folder / "torn.cif").write_text("data_")
    run(campaign, "predict", "--config", f"predict={{structures: {folder}}}", "--cores", "1")
    found = read_prediction(campaign / "results/prediction/spectra.h5")
    assert found["Cu_FEFF"].ids == ["good_002", "good_003"] and found["Cu_FEFF"].seeds == [0, 1]
    assert json.loads(found.made["config"])["campaign"] == "test"
    table = pd.read_csv(campaign / "results/prediction/spectra_rejected.csv")
    assert dict(zip(table["material_id"], table["reason"], strict=True)) == {
        "torn": "no_structure", "zinc": "no_absorber"
    }  # fmt: skip
    assert [each.name for each in (campaign / "results/prediction").iterdir() if each.name.startswith(".")] == []
