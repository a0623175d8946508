"""`xanesflow dataset`: each command on a good file, and one sentence with exit code 2 where there is no dataset."""

import json
from functools import partial

import h5py
import numpy as np
import pandas as pd
import pytest
from command_line import answer
from dataset_files import copy_of_dataset, write_dataset

import xanesflow
from xanesflow.codes.run_files import FEFF_REFERENCE as REFERENCE
from xanesflow.core.errors import XanesflowError


@pytest.fixture
def path(tmp_path):
    return copy_of_dataset(tmp_path)


dataset = partial(answer, "dataset")


def test_info_tells_what_is_in_it(path):
    code, said = dataset("info", path)
    assert code == 0 and "Cu_FEFF" in said and "1 no_output" in said and "chgnet (3), m3gnet (4)" in said
    assert "Cu_FEFF reference: Cite FEFF with these spectra: FEFF 10 as J. J. Kas" in " ".join(said.split())
    code, said = dataset("info", path, "--json")
    told = json.loads(said)
    assert told["subsets"]["Ni_FEFF"] == {
        "spectra": 13, "materials": 13, "split": {"train": 9, "val": 2, "test": 2},
        "energy_ev": {"first": 8332.181, "last": 8367.181, "points": 141},
        "features": {"chgnet": 3, "m3gnet": 4}, "rejected": {"no_output": 1},
        "reference": REFERENCE,
    }  # fmt: skip
    assert len(told["content_sha256"]) == 64


def test_ids_lists_what_the_other_commands_take(path):
    code, said = dataset("ids", path, "--subset", "Ni_FEFF", "--part", "val")
    lines = said.splitlines()
    assert code == 0 and len(lines) == 2 and all(line.endswith(" Ni_FEFF val") for line in lines)
    code, said = dataset("ids", path)
    with xanesflow.load(path) as data:
        assert len(said.splitlines()) == sum(len(data[name]) for name in data)
    code, plotted = dataset("plot", path, lines[0].split()[0], "-o", path.with_name("one.png"))
    assert code == 0, plotted


def test_escapes_in_a_dataset_do_not_reach_the_terminal(path):
    with h5py.File(path, "r+") as file:
        file.attrs["title"] = "good \x1b[2J\x1b]0;evil\x07 title"
        file.attrs["creator"] = "somebody\r\u202eelse"
        file.attrs["versions"] = json.dumps({"numpy\x1b[31m": "2\x9b0m"})
    code, said = dataset("info", path)
    assert code == 0 and not set("\x1b\x07\r\x9b\u202e") & set(said)
    assert "good \ufffd[2J" in said and "somebody\ufffd\ufffdelse" in said


def test_settings_that_differ_between_runs_are_told_for_subset_and_site(tmp_path):
    differs = "SCF 5 0, not SCF 7 0"
    path = write_dataset(tmp_path, settings=[*[""] * 4, differs, *[""] * 8])
    code, said = dataset("info", path)
    assert code == 0 and f"Cu_FEFF settings: FMS 9 0; SCF 7 0 (12 runs; 1 with {differs})" in said.replace("\n", " ")
    with xanesflow.load(path) as data:
        assert data["Cu_FEFF"].settings.tolist() == [*[""] * 4, differs, *[""] * 8]
        assert data["Cu_FEFF"].pandas()["settings"]["mp-4_001"] == differs
    assert dataset("validate", path)[0] == 0
    assert dataset("export", path, "--format", "csv", "--out", tmp_path / "out")[0] == 0
    assert pd.read_csv(tmp_path / "out/Cu_FEFF/sites.csv").set_index("site_id")["settings"].count() == 1


def test_validate_ends_with_0_or_1_and_tells_each_fault(path):
    code, said = dataset("validate", path)
    assert code == 0 and f"{path}: valid" in said
    with h5py.File(path, "r+") as file:
        file["Cu_FEFF/spectra"][4, 7] = np.nan
    code, said = dataset("validate", path)
    assert code == 1
    assert "numbers: Cu_FEFF/spectra: 1 row holds NaN or infinite values: mp-4_001" in said
    assert said.endswith(f"{path}: 3 faults\n")
    code, said = dataset("validate", path, "--json")
    told = json.loads(said)
    assert code == 1 and told["valid"] is False and len(told["checks"]["hashes"]["faults"]) == 2


def test_plot_draws_means_or_sites(path, tmp_path):
    code, said = dataset("plot", path, "-o", tmp_path / "a.svg")
    assert (code, said) == (0, f"{tmp_path}/a.svg: mean and spread of Cu_FEFF, Ni_FEFF\n")
    assert "mean of 13" in (tmp_path / "a.svg").read_text()
    code, said = dataset("plot", path, "mp-3_001", "mp-12_000", "-s", "Cu_FEFF", "-o", tmp_path / "b.png")
    assert (code, said) == (0, f"{tmp_path}/b.png: 2 spectra of Cu_FEFF\n")
    assert (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("layout", ["npy", "npz", "csv"])
def test_an_export_holds_the_numbers_exactly(path, tmp_path, layout):
    out = tmp_path / "out"
    code, _ = dataset("export", path, "--format", layout, "--out", out)
    assert code == 0
    with xanesflow.load(path) as data:
        cu = data["Cu_FEFF"]
        if layout == "csv":
            read = lambda name: np.genfromtxt(out / f"Cu_FEFF/{name}.csv", delimiter=",", dtype=str)  # noqa: E731
            spectra = read("spectra")
            assert np.array_equal(spectra[0, 1:].astype(float), cu.energy) and spectra[1:, 0].tolist() == cu.ids
            assert np.array_equal(spectra[1:, 1:].astype(float), cu.spectra[:])
            assert np.array_equal(read("features_m3gnet")[1:, 1:].astype("f4"), cu.features("m3gnet")[:])
            assert read("sites")[1:, 4].tolist() == cu.split.tolist()
            assert "mp-99,2,no_output" in (out / "Cu_FEFF/rejected.csv").read_text()
        else:
            if layout == "npy":
                arrays = {each.stem: np.load(each, allow_pickle=False) for each in (out / "Cu_FEFF").glob("*.npy")}
            else:
                arrays = dict(np.load(out / "Cu_FEFF.npz", allow_pickle=False))
            assert np.array_equal(arrays["spectra"], cu.spectra[:]) and np.array_equal(arrays["energy"], cu.energy)
            assert arrays["site_id"].tolist() == cu.ids and arrays["split"].tolist() == cu.split.tolist()
            assert np.array_equal(arrays["features_chgnet"], cu.features("chgnet")[:])
    lines = [json.loads(line) for line in (out / "structures.jsonl").read_text().splitlines()]
    assert len(lines) == 26 and {line["name"] for line in lines} >= {"mp-3", "mp-3@Ni_FEFF"}
    assert "licence" in json.loads((out / "dataset.json").read_text()) and (out / "README.txt").exists()
    assert dataset("export", path, "--out", out) == (
        2, f"{out} already exists, and nothing is overwritten; name another folder.\n")  # fmt: skip


def test_diff_of_equal_releases_ends_with_0_however_they_were_made(path, tmp_path):
    (tmp_path / "again").mkdir()
    again = write_dataset(tmp_path / "again", config={"campaign": "another"})
    code, said = dataset("diff", path, again)
    assert code == 0 and said.startswith("no difference\n") and "config" in said


def test_diff_tells_each_difference_and_ends_with_1(path, tmp_path):
    new = copy_of_dataset(tmp_path, "new.h5")
    with h5py.File(new, "r+") as file:
        cu = file["Cu_FEFF"]
        peak = cu["spectra"][4].max()
        cu["spectra"][4, 7] += 1e-3 * peak
        cu["spectra"][5, 7] += 1e-8 * peak  # below the tolerance
        cu["split"][9] = "test"
        cu["material_id"][12] = "mp-77"
        largest = np.abs(np.delete(cu["features/m3gnet"][:], 12, axis=0)).max()  # of the common sites
        cu["features/m3gnet"][2] += 1
        cu["multiplicity"][3] = 2
        cu["features/m3gnet"].attrs["weights_hash"] = "c" * 64
        del cu["features/chgnet"], file["Ni_FEFF"]
        file["structures/mp-77"] = file["structures/mp-12"][()]
        file["structures/mp-6"][()] = file["structures/mp-6"].asstr()[()].replace("0.5", "0.51")
        file.attrs["licence"] = "CC0-1.0"
    code, said = dataset("diff", path, new)
    assert (code, said.splitlines()) == (1, [
        "Ni_FEFF: subset removed",
        "Cu_FEFF: 1 site added: mp-77_000",
        "Cu_FEFF: 1 site removed: mp-12_000",
        "Cu_FEFF: 1 spectrum changed, by up to 0.001 of the maximum: mp-4_001",
        "Cu_FEFF: 1 site in another part: mp-9_001 (val to test)",
        "Cu_FEFF: features m3gnet of 1 site changed",
        "Cu_FEFF: 1 multiplicity changed: mp-3_001",
        "Cu_FEFF: 1 structure changed: mp-6",
        "Cu_FEFF: the features chgnet were removed",
        "Cu_FEFF: the features m3gnet were computed with other weights",
        "Cu_FEFF: spectra of 12 common sites deviate by 0.0e+00 of their maximum (median), at worst by 1.0e-03 "
        "(mp-4_001)",
        f"Cu_FEFF: features m3gnet of 12 common sites deviate by 0.0e+00 of the largest (median), at worst by "
        f"{1 / largest:.1e} (mp-2_001)",
        "licence: was 'CC-BY-4.0', now 'CC0-1.0'",
    ])  # fmt: skip
    code, said = dataset("diff", path, new, "--tolerance", "0.01", "--json")
    told = json.loads(said)
    assert code == 1 and not told["equal"] and told["subsets"]["Cu_FEFF"]["spectra"] == {}


def test_diff_tells_which_sites_ran_with_other_settings(tmp_path):
    differs = [*[""] * 4, "SCF 5 0, not SCF 7 0", *[""] * 8]
    paths = [write_dataset(tmp_path / str(len(each)), settings=each) for each in ((), differs)]
    code, said = dataset("diff", *paths)
    assert code == 1 and "Cu_FEFF: 1 note on settings changed: mp-4_001\n" in said
    assert json.loads(dataset("diff", *paths, "--json")[1])["subsets"]["Cu_FEFF"]["settings"] == ["mp-4_001"]
    assert dataset("diff", paths[1], paths[1])[0] == 0


def test_diff_with_published_arrays_tells_what_is_common_and_how_far_apart(path, tmp_path):
    with h5py.File(path) as file:
        spectra, features = file["Cu_FEFF/spectra"][:], file["Cu_FEFF/features/m3gnet"][:]
        ids = [f"{m}_{i:03d}" for m, i in zip(file["Cu_FEFF/material_id"].asstr()[:], file["Cu_FEFF/site_index"][:],
                                              strict=True)]  # fmt: skip
    rows = [6, 2, 9, 3]
    given = {"ids": np.array([*(ids[k] for k in rows), "mp-500_000"]), "features": features[[*rows, 0]],
             "spectra": spectra[[*rows, 0]]}  # fmt: skip
    given["spectra"][0, 70] += 2e-4 * spectra[6].max()
    given["spectra"][1, 30] += 8e-4 * spectra[2].max()
    arrays, table = tmp_path / "Cu_FEFF_val.npz", tmp_path / "t.csv"
    np.savez(arrays, **given)
    code, said = dataset("diff", path, arrays, "--tolerance", "1e-2", "--output", table)
    assert (code, said.splitlines()) == (1, [
        "Cu_FEFF: 4 of 5 sites of Cu_FEFF_val.npz in d.h5, 1 missing; only in the "
        "dataset: 9",
        "Cu_FEFF: spectra of 4 common sites deviate by 1.0e-04 of their maximum (median), at worst by 8.0e-04 "
        "(mp-2_001)",
        f"Cu_FEFF: features m3gnet of 4 common sites deviate by 0.0e+00 of the largest (median), at worst by 0.0e+00 "
        f"({ids[6]})",
        "Cu_FEFF: missing: mp-500_000",
    ])  # fmt: skip
    written = pd.read_csv(table).set_index("site")
    assert written["where"].value_counts().to_dict() == {"both": 4, "only old": 1, "only new": 9}
    assert written.loc[ids[2], "spectrum"] == pytest.approx(8e-4, rel=0.01)

    arrays.rename(tmp_path / "Cu_FEFF.npz")  # the subset's name alone is enough
    assert "4 of 5 sites of Cu_FEFF.npz" in dataset("diff", path, tmp_path / "Cu_FEFF.npz", "--tolerance", "1e-2")[1]

    # Without the missing site nothing differs by more than the tolerance; under another name the subset must be named.
    other = tmp_path / "copper.npz"
    np.savez(other, **{name: values[:4] for name, values in given.items()})
    assert dataset("diff", path, other, "-s", "Cu_FEFF", "-t", "1e-3")[0] == 0
    assert dataset("diff", path, other, "-s", "Cu_FEFF", "-t", "5e-4")[0] == 1
    told = json.loads(dataset("diff", path, other, "-s", "Cu_FEFF", "--json")[1])
    assert (told["common"], told["missing"], told["extra"], told["equal"]) == (4, 0, 9, False)
    assert dataset("diff", other, path) == (2, f"{other} holds arrays; name the dataset first and the arrays second.\n")
    assert "leave it out for two datasets" in dataset("diff", path, path, "-s", "Cu_FEFF")[1]
    assert "does not exist" in dataset("diff", path, tmp_path / "nothing.npz")[1]
    code, said = dataset("diff", path, other)
    assert code == 2 and "begins with no subset" in said and said.count("\n") == 1
    np.savez(arrays, **{**given, "spectra": given["spectra"][:, 1:]})
    code, said = dataset("diff", path, arrays)
    assert code == 2 and "140 points" in said and said.count("\n") == 1
    arrays.write_bytes(b"PK")
    code, said = dataset("diff", path, arrays)
    assert code == 2 and "cannot be read as an npz file" in said and said.count("\n") == 1


def test_diff_of_releases_writes_a_table_of_all_sites(path, tmp_path):
    again = copy_of_dataset(tmp_path, "again.h5")
    assert dataset("diff", path, again, "-o", tmp_path / "t.csv")[0] == 0
    written = pd.read_csv(tmp_path / "t.csv")
    assert list(written) == ["subset", "site", "where", "spectrum", "chgnet", "m3gnet"]
    assert len(written) == 26 and (written[["spectrum", "chgnet", "m3gnet"]] == 0).all(axis=None)


@pytest.mark.parametrize("command", ["info", "validate", "plot", "export", "diff"])
def test_what_is_no_dataset_ends_with_2_and_one_sentence(path, tmp_path, command):
    (tmp_path / "text.h5").write_text("energy")
    (tmp_path / "short.h5").write_bytes(path.read_bytes()[:9000])
    with h5py.File(copy_of_dataset(tmp_path, "later.h5"), "r+") as file:
        file.attrs["schema_version"] = "2.0"
    more = {"export": ["--out", tmp_path / "o"], "diff": [path], "plot": ["-o", tmp_path / "p.svg"]}.get(command, [])
    for name, sentence in {
        "nowhere.h5": "cannot be read: No such file",
        "text.h5": "is no HDF5 file",
        "short.h5": "is cut short",
        "later.h5": "has schema version 2.0",
    }.items():
        code, said = dataset(command, tmp_path / name, *more)
        assert code == 2 and sentence in said and len(said.splitlines()) == 1, said


def test_a_wrong_call_ends_with_2_and_one_sentence(path, tmp_path):
    for arguments, sentence in {
        ("plot", path, "mp-77_000"): "has no site mp-77_000 in Cu_FEFF, Ni_FEFF",
        ("plot", path, "-o", "a.gif"): "a.gif does not end with .svg, .png or .pdf",
        ("plot", path, "-s", "Ti_FEFF"): "has no subset Ti_FEFF; it has Cu_FEFF, Ni_FEFF",
        ("plot", path, *(f"mp-{k}_001" for k in range(13))): "13 sites are too many for one figure",
        ("export", path, "--out", tmp_path / "o", "-s", "Ti_FEFF"): "has no subset Ti_FEFF",
    }.items():
        code, said = dataset(*arguments)
        assert code == 2 and sentence in said and len(said.splitlines()) == 1, said
    assert not (tmp_path / "o").exists() and not list(tmp_path.glob(".*"))


def test_a_damaged_file_is_told_without_a_traceback(path, tmp_path):
    with h5py.File(path, "r+") as file:
        del file["Cu_FEFF/multiplicity"]
    code, said = dataset("info", path)
    assert code == 0 or "see `xanesflow dataset validate`" in said
    code, said = dataset("export", path, "--out", tmp_path / "o")
    assert (code, said) == (2, f"{path} has no multiplicity of Cu_FEFF; see `xanesflow dataset validate`.\n")
    assert not (tmp_path / "o").exists()
    with pytest.raises(XanesflowError, match="has no multiplicity"), xanesflow.load(path) as data:
        data["Cu_FEFF"][0]
