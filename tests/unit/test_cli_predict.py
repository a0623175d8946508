"""`xanesflow predict`: what it writes and shows, and one sentence with exit code 2 where nothing can be predicted."""

from functools import partial

import pytest
from command_line import answer
from feff_runs import bent_chain, perovskite, poscar, rocksalt
from trained_campaign import campaign, model_of

predict = partial(answer, "predict")


@pytest.fixture
def good(tmp_path):
    (tmp_path / "POSCAR_good").write_text(poscar(bent_chain()))
    return tmp_path / "POSCAR_good"


def test_one_file_gives_a_row_a_site_and_files_of_spectra_and_figures(good, tmp_path):
    files = [tmp_path / f"out.{ending}" for ending in ("csv", "svg", "html")]
    for plot in files[1:]:
        code, said = predict(good, "--model", model_of(), "-o", files[0], "--plot", plot)
        assert code == 0, said
    rows = [line for line in said.splitlines() if "expert Cu_FEFF" in line]
    assert len(rows) == 3 and "Cu 1" in rows[0] and str(files[0]) in said
    assert "predicted" in files[1].read_text() and "CaCu₃O₅" in files[1].read_text()
    page = files[2].read_text()
    assert "average" in page and not [tag for tag in page.split("<script")[1:] if tag.split(">")[0].count("src=")]
    assert not (tmp_path / "out_rejected.csv").exists()


def test_files_that_were_named_and_cannot_be_used_end_with_2_and_a_folder_with_such_does_not(good, tmp_path):
    bad = tmp_path / "bad.cif"
    bad.write_text("nothing")
    code, said = predict(good, bad, "-m", model_of(), "-o", tmp_path / "out.h5")
    assert code == 2 and "good" in said and "1 left out: 1 no_structure" in said and "bad.cif" in said
    assert (tmp_path / "out.h5").exists() and "bad.cif" in (tmp_path / "out_rejected.csv").read_text()
    code, said = predict(tmp_path, "-m", model_of(), "-o", tmp_path / "more.h5")
    assert code == 0 and "1 left out: 1 no_structure" in said
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "torn.cif").write_text("nothing")
    code, said = predict(folder, good, "-m", model_of())
    assert code == 0 and "torn.cif" in said, "all that was named is predicted"
    assert predict(folder, good, bad, "-m", model_of())[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["zinc.vasp"], ("zinc", "the models are of Cu")),
        (["nowhere.cif"], ("There is no structure file nowhere.cif",)),
        (["good.vasp", "-o", "out.txt"], ("out.txt cannot be written", ".csv or .h5")),
        (["good.vasp", "-p", "out.gif"], ("out.gif cannot be drawn",)),
        (["good.vasp", "-s", "Fe_FEFF"], ("None of the models given predicts Fe",)),
        (["good.vasp", "--device", "tpu"], ("'tpu'",)),
    ],
)
def test_bad_input_ends_with_one_sentence_and_2(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zinc.vasp").write_text(poscar(rocksalt("Zn")))
    (tmp_path / "good.vasp").write_text(poscar(perovskite()))
    code, said = predict(*arguments, "-m", model_of())
    assert code == 2 and len(said.splitlines()) == 1
    for word in words:
        assert word in said


def test_a_dataset_is_no_model(good):
    code, said = predict(good, "-m", campaign() / "d.h5")
    assert code == 2 and "d.h5 is an HDF5 file, such as a dataset, not a model" in said
