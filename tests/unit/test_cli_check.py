"""`xanesflow check`: finds runs, says what each is worth, and ends with 0 only if all are good."""

import shutil
import tarfile
import time

from command_line import answer
from curated_runs import curate, import_runs
from feff_runs import cuprite, perovskite, poscar, rocksalt, run_files, write_files, write_run
from published_runs import files_of_first_materials
from shared_data import shared


def check(*words):
    code, said = answer("check", *words)
    return code, said.splitlines()


def test_good_runs_in_a_tree_end_with_0(tmp_path):
    write_run(tmp_path, "mp-1", cuprite(), 0)
    write_run(tmp_path, "mp-2", perovskite(), 1)
    write_files(tmp_path / "Cu/mp-2/FEFF8L-XANES/001_Cu", {"xmu.dat": "of the embedded engine"})
    code, lines = check(tmp_path)
    assert code == 0
    assert lines == [
        f"good     {tmp_path}/Cu/mp-1/FEFF-XANES/000_Cu",
        f"good     {tmp_path}/Cu/mp-2/FEFF-XANES/001_Cu",
        "2 runs: 2 good, 0 refused",
    ]
    assert check(tmp_path, tmp_path / "Cu/mp-1", "--refused") == (0, ["2 runs: 2 good, 0 refused"])


def test_one_bad_run_ends_with_1_and_its_reason(tmp_path):
    write_run(tmp_path, "mp-1", cuprite(), 0)
    bad = write_run(tmp_path, "mp-2", cuprite(), 0, xmu_dat=None)
    code, lines = check(tmp_path, "--refused")
    assert (code, lines[1:]) == (1, ["2 runs: 1 good, 1 refused (1 no_output)"])
    assert lines[0].startswith(f"refused  {bad}: no_output, xmu.dat is missing or empty")


def test_the_attempts_of_a_run_that_was_kept_are_no_runs_of_their_own(tmp_path):
    """As `xanes --keep` leaves them: the good xmu.dat was moved out of the last attempt."""
    files = run_files(rocksalt(), 0)
    attempt = {f"attempt-1/{name}": text for name, text in files.items() if name != "xmu.dat"}
    write_files(tmp_path / "kept/Cu_000", {**files, "job.json": "{}", "result.json": "{}", **attempt})
    code, lines = check(tmp_path / "kept")
    assert (code, lines[0], lines[-1]) == (0, f"good     {tmp_path}/kept/Cu_000", "1 run: 1 good, 0 refused")
    (tmp_path / "kept/Cu_000/xmu.dat").unlink()
    code, lines = check(tmp_path / "kept")
    assert code == 1 and lines[0].startswith(f"refused  {tmp_path}/kept/Cu_000: no_output")
    assert lines[-1] == "1 run: 0 good, 1 refused (1 no_output)"


def test_a_kept_run_of_the_embedded_engine_is_called_one(tmp_path):
    """As `xanes --keep` leaves it: its feff.inp has no card XANES."""
    files = {"feff.inp": "POTENTIALS\n0 29 Cu\n", "xmu.dat": "# xanesflow\n# absorber Z=29 K\n8970.0 1e-4 1e-4\n"}
    write_files(tmp_path / "kept/Cu_000", files)
    code, lines = check(tmp_path / "kept")
    assert code == 1 and "refused" in lines[0]
    assert "other_kind_of_spectrum, it is a run of the embedded engine (FEFF8L) and not of FEFF" in lines[0]
    assert lines[1].strip() == "embedded engine"


def test_a_plain_folder_needs_neither_poscar_nor_feff_out(tmp_path):
    files = run_files(rocksalt("Ni"), 0, "Ni")
    write_files(tmp_path / "anywhere", files)
    assert check(tmp_path / "anywhere")[0] == 0
    log = files.pop("feff.out").decode()
    scf, after = log.split("Calculating screened")
    xsph, fms = after.split("FMS calculation", 1)
    fms, ff2x = fms.split("Pathfinder", 1)
    logs = {"log1.dat": scf, "log2.dat": xsph, "log3.dat": "FMS calculation" + fms, "log6.dat": ff2x}
    write_files(tmp_path / "logs", files | logs)
    assert check(tmp_path / "logs")[0] == 0


def test_in_lightshows_tree_the_run_must_be_that_of_its_site(tmp_path):
    other = write_run(tmp_path, "mp-1", cuprite(), 0, feff_inp=run_files(rocksalt(), 0)["feff.inp"])
    beyond = write_run(tmp_path, "mp-2", cuprite(), 0).rename(tmp_path / "Cu/mp-2/FEFF-XANES/017_Cu")
    oxygen = write_run(tmp_path, "mp-3", cuprite(), 0).rename(tmp_path / "Cu/mp-3/FEFF-XANES/004_Cu")
    write_run(tmp_path, "mp-4", cuprite(), 0)
    write_files(tmp_path / "Cu/mp-4", {"POSCAR": "no structure"})
    code, lines = check(tmp_path)
    assert code == 1
    assert f"{other}: wrong_absorber, the cluster in feff.inp is not the one around site 0 of POSCAR" in lines[0]
    assert f"{beyond}: wrong_absorber, site 17 lies outside the structure, which has 6 atoms" in lines[1]
    assert f"{oxygen}: wrong_absorber, site 4 of POSCAR is O, not Cu" in lines[2]
    assert "no_structure, POSCAR cannot be read" in lines[3]


def test_a_wrong_path_is_told_in_a_sentence(tmp_path):
    write_files(tmp_path, {"empty/notes.txt": "none", "runs.tar": ""})
    with tarfile.open(tmp_path / "runs.tar", "w"):
        pass
    for name, said in {
        "nowhere": "nowhere does not exist (looked from",
        "runs.tar": "runs.tar is not a folder; name folders with runs",
        "empty": "empty holds no run: nothing in it or below it is a run of FEFF 9 or 10 (feff.inp, feff.out",
    }.items():
        code, lines = check(tmp_path / name)
        assert code == 1 and len(lines) == 1 and said in lines[0]
    assert check()[0] == 2


def test_links_are_followed_but_not_in_circles(tmp_path):
    write_files(tmp_path / "scratch/run", run_files(rocksalt(), 0))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/a").symlink_to(tmp_path / "scratch/run")
    (tmp_path / "scratch/run/back").symlink_to(tmp_path / "runs")
    assert check(tmp_path / "runs")[1][-1] == "1 run: 1 good, 0 refused"


def test_of_the_real_runs_of_feff_10_one_is_good():
    code, lines = check(shared("feff10-faults"), "--workers", 1)
    assert (code, len(lines)) == (1, 20)
    assert [line for line in lines if line.startswith("good")] == [f"good     {shared('feff10-faults')}/ok"]
    assert lines[-1] == ("19 runs: 1 good, 18 refused (2 no_output, 1 atoms_too_close, 3 truncated, 8 module_failed, "
                         "1 cluster_cut, 2 not_converged, 1 not_a_number)")  # fmt: skip


def test_the_curation_says_of_the_real_runs_of_feff_10_what_check_says(tmp_path):
    """Also where FEFF's own logs are all that is there, as they are imported with the runs."""
    for run in sorted(path for path in shared("feff10-faults").iterdir() if path.is_dir()):
        folder = tmp_path / f"runs/Cu/{run.name}/FEFF-XANES/000_Cu"
        shutil.copytree(run, folder)
        if run.name in {"ok", "scf_not_converged"}:
            (folder / "feff.out").unlink()
        structure = cuprite(a=4.5 if run.name.startswith("rerun") else 4.27)
        write_files(folder.parents[1], {"POSCAR": poscar(structure)})
    said = {}
    for line in check(tmp_path / "runs")[1][:-1]:
        place, _, detail = line.removeprefix("refused  ").removeprefix("good     ").partition(": ")
        said[place.split("/")[-3]] = tuple(detail.partition(", ")[::2])
    curated = curate(import_runs(tmp_path / "runs", tmp_path), tmp_path)
    assert curated.material_id == ["ok"] and len(said) == 19
    told = {each.material_id: (each.reason, each.detail) for each in curated.rejected}
    assert told | {"ok": ("", "")} == said


def test_real_runs_of_feff_9_are_judged_with_their_structure(tmp_path):
    """The first of the archive; two sites of mp-1101124, which is among them, have inputs and no output."""
    write_files(tmp_path, files_of_first_materials(123))
    whole = len(list(tmp_path.glob("Cu/*/FEFF-XANES/*/xmu.dat")))
    code, lines = check(tmp_path)
    assert whole > 100
    assert (code, lines[-1]) == (1, f"{whole + 2} runs: {whole} good, 2 refused (2 no_output)")
    assert all("mp-1101124" in line for line in lines if line.startswith("refused"))


def test_a_spectrum_of_5_gb_is_refused_unread_and_the_other_run_is_checked(tmp_path):
    write_run(tmp_path, "mp-1", cuprite(), 0)
    huge = write_run(tmp_path, "mp-2", cuprite(), 0) / "xmu.dat"
    with huge.open("r+b") as opened:
        opened.truncate(5_000_000_000)  # of which the disk keeps only what was written
    begun = time.process_time()
    code, lines = check(tmp_path)
    assert code == 1 and time.process_time() - begun < 5
    assert any("5,000,000,000 bytes" in line and line.startswith("refused") for line in lines), lines
    assert lines[-1].startswith("2 runs: 1 good, 1 refused")
