"""Curation: what is kept, what is left out and why, on runs of the tests' own and on the published archive."""

import json
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from curated_runs import curate, ids, import_runs, reasons
from feff_runs import (
    GRID_START_EV,
    cuprite,
    layered,
    materials,
    rocksalt,
    run_files,
    spectrum,
    write_archive,
    write_run,
    xmu_text,
)
from sentences import tells
from shared_data import shared

from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import Rejected
from xanesflow.core.tables import write_rejected
from xanesflow.spectra.store import read_spectra

START = GRID_START_EV["Cu"]


def rows_with(edit):
    """xmu.dat of the rocksalt run with its table edited."""
    rows = spectrum(rocksalt(), 0, "Cu")
    return xmu_text(edit(rows), "Cu").encode()


def where(rows, condition, values):
    """The table with mu as given where its energies above the grid's start fulfil a condition."""
    rows = rows.copy()
    rows[condition(rows[:, 0] - START), 3] = values
    return rows


def test_the_tests_own_archive_is_kept_whole_without_envelope(tmp_path):
    expected = write_archive(tmp_path / "runs")
    curated = curate(import_runs(tmp_path / "runs", tmp_path), tmp_path)
    assert ids(curated) == expected
    assert curated.rejected == []
    # np.interp on the rows that the tests wrote, with the window cut by hand
    k = expected.index("mp-900015_001")
    rows = spectrum(materials()["mp-900015"], 1, "Cu")
    rows = rows[(rows[:, 0] > START) & (rows[:, 0] < START + 35)]
    wanted = np.interp(START + 0.25 * np.arange(141), rows[:, 0], rows[:, 3]) * 2.4413e-4 / 0.529177210903**2
    assert np.abs(curated.spectra[k] - wanted).max() < 1e-3 * wanted.max()


def test_the_file_of_spectra_says_what_it_holds(tmp_path):
    write_run(tmp_path / "runs", "mp-1", cuprite(), 2)
    curate(import_runs(tmp_path / "runs", tmp_path), tmp_path, config='{"a": 1}')
    with h5py.File(tmp_path / "spectra.h5") as file:
        assert file["energy"].attrs["units"] == "eV" and file["spectra"].attrs["units"] == "bohr^2"
        assert file["spectra"].shape == (1, 141) and file["spectra"].dtype == np.float64
        assert np.array_equal(file["energy"][:], START + 0.25 * np.arange(141))
        assert (file["material_id"].asstr()[0], file["site_index"][0], file["multiplicity"][0]) == ("mp-1", 2, 4)
        assert file.attrs["subset"] == "Cu_FEFF" and file.attrs["config"] == '{"a": 1}'
        assert json.loads(file.attrs["counts"]) == {"kept": 1}
        assert set(json.loads(file.attrs["inputs_sha256"])) == {
            "0000.zip", "0001.zip", "structures.parquet", "site_table.parquet"
        }  # fmt: skip


def test_materials_that_lack_the_element_swell_no_table_and_all_tables_are_taken(tmp_path):
    write_run(tmp_path / "runs", "mp-1", cuprite(), 0)
    imported = import_runs(tmp_path / "runs", tmp_path)
    others = tmp_path / "others.parquet"
    write_rejected(others, [Rejected("a", -1, "no_absorber", "TiO2 holds no Cu"), Rejected("b", -1, "disordered", "x")])
    curated = curate(imported, tmp_path, rejected=[imported["rejected"], others])
    assert reasons(curated) == {("b", -1): "disordered"}
    assert pd.read_csv(tmp_path / "rejected.csv")["reason"].tolist() == ["disordered"]


def test_where_too_many_sites_failed_nothing_is_curated(tmp_path):
    write_archive(tmp_path / "runs", materials=12)
    imported = import_runs(tmp_path / "runs", tmp_path)
    failed = tmp_path / "failed.csv"
    failed.write_text("site,reason\n" + "".join(f"m_{k:03d},timed_out\n" for k in range(6)))
    with pytest.raises(XanesflowError, match=r"Cu_FEFF: 6 of \d+ sites failed.*6 timed_out; .*failed\.csv lists them"):
        curate(imported, tmp_path, failed=[failed], max_failed=0.1)
    assert not (tmp_path / "spectra.h5").exists()
    assert len(curate(imported, tmp_path, failed=[failed], max_failed=0.9).spectra)


def test_the_share_of_failed_sites_is_that_of_the_planned_ones(tmp_path):
    write_archive(tmp_path / "runs", materials=12)
    imported = import_runs(tmp_path / "runs", tmp_path)
    sites = pd.read_parquet(imported["site_table"])[["material_id", "site_index"]]
    failed, planned = tmp_path / "failed.csv", tmp_path / "plan.csv"
    failed.write_text("site,reason\n" + "".join(f"m_{k:03d},timed_out\n" for k in range(6)))
    sites.head(7).to_csv(planned, index=False)
    assert 6 / len(sites) < 0.7, "of all sites these are few"
    with pytest.raises(XanesflowError, match=r"Cu_FEFF: 6 of 7 sites failed"):
        curate(imported, tmp_path, failed=[failed], max_failed=0.7, only=planned)
    planned.write_text("material_id,site_index\nmp-0,5\n")
    with pytest.raises(XanesflowError, match=r"plan\.csv names mp-0_005, which is no site of Cu_FEFF; remove it"):
        curate(imported, tmp_path, only=planned)


def test_sites_that_were_not_to_be_simulated_are_no_failures(tmp_path):
    write_archive(tmp_path / "runs", materials=12)
    imported = import_runs(tmp_path / "runs", tmp_path)
    imported["chunks"] = imported["chunks"][:1]  # as if those of the second one had never been run
    whole = curate(imported, tmp_path)
    kept, missing = ids(whole), [site for site, reason in reasons(whole).items() if reason == "no_output"]
    planned = tmp_path / "plan.csv"
    rows = [name.rsplit("_", 1) for name in kept] + [[missing[0][0], str(missing[0][1])]]
    planned.write_text("material_id,site_index\n" + "".join(f"{material},{int(site)}\n" for material, site in rows))
    found = reasons(curate(imported, tmp_path, only=planned))
    assert found[missing[0]] == "no_output"
    assert {found[site] for site in missing[1:]} == {"not_planned"}


# what is wrong with one run -> its files that differ, its reason
BAD_RUNS = {
    "ends within the window": ({"xmu_dat": rows_with(lambda r: r[r[:, 0] < START + 20])}, "grid_not_covered"),
    "ends at a row in the window": ({"xmu_dat": rows_with(lambda r: r[: np.searchsorted(r[:, 0], START + 34.9)])},
                                    "grid_not_covered"),
    "starts late": ({"xmu_dat": rows_with(lambda r: r[r[:, 0] > START + 11])}, "grid_not_covered"),
    "negative in the window": ({"xmu_dat": rows_with(lambda r: where(r, lambda e: abs(e - 9) < 1, -0.01))}, "negative"),
    "no spectrum": ({"xmu_dat": None}, "no_output"),
    "no file at all": ({"xmu_dat": None, "feff_out": None, "feff_inp": None}, "no_run"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "reason"), BAD_RUNS.values(), ids=BAD_RUNS.keys())
def test_a_bad_run_is_left_out_with_its_reason_and_stops_no_other(tmp_path, files, reason):
    write_run(tmp_path / "runs", "mp-1", cuprite(), 0)
    write_run(tmp_path / "runs", "mp-2", rocksalt(), 0, **files)
    curated = curate(import_runs(tmp_path / "runs", tmp_path), tmp_path)
    assert ids(curated) == ["mp-1_000"]
    assert reasons(curated) == {("mp-2", -1 if reason == "no_run" else 0): reason}
    table = pd.read_csv(tmp_path / "rejected.csv")
    assert table["material_id"].tolist() == ["mp-2"] and table["reason"].tolist() == [reason]
    shown = [(each.material_id, each.reason) for each in curated.examples]
    assert shown == ([] if reason in {"no_output", "no_run"} else [("mp-2", reason)]), (
        "what left a spectrum can be drawn"
    )


@pytest.mark.parametrize(
    "edit",
    [
        lambda rows: where(rows, lambda e: e < 0, -1.0),
        lambda rows: where(rows, lambda e: e > 35, -1.0),
        lambda rows: rows[rows[:, 0] < START + 37],
    ],
    ids=["negative before the window", "negative after the window", "ends soon after the window"],
)
def test_what_lies_outside_the_window_does_not_matter(tmp_path, edit):
    early = rows_with(lambda rows: edit(np.vstack([[START - 2, 0, 0, 0.01, 0, 0], rows])))
    write_run(tmp_path / "runs", "mp-1", rocksalt(), 0)
    write_run(tmp_path / "runs", "mp-2", rocksalt(), 0, xmu_dat=early)
    curated = curate(import_runs(tmp_path / "runs", tmp_path), tmp_path)
    assert np.array_equal(curated.spectra[0], curated.spectra[1])


def test_how_far_the_start_may_lack_is_configured(tmp_path):
    write_run(tmp_path / "runs", "mp-1", rocksalt(), 0)  # its first point lies 0.6 to 6 eV after the grid's start
    imported = import_runs(tmp_path / "runs", tmp_path)
    assert len(curate(imported, tmp_path).spectra) == 1
    with pytest.raises(XanesflowError, match=r"no spectrum is left: .* 1 grid_not_covered"):
        curate(imported, tmp_path, max_flat_start_ev=0.1)


def test_a_spectrum_outside_the_envelope_is_told_with_its_worst_sigma_and_energy(tmp_path):
    """Eleven equal spectra and one of a spike: it lies √11 = 3.317 σ from the mean at the spike."""
    for k in range(11):
        write_run(tmp_path / "runs", f"mp-{10 + k}", rocksalt(), 0)
    rows = spectrum(rocksalt(), 0, "Cu")
    spike = int(np.searchsorted(rows[:, 0], START + 20))
    rows[spike, 3] += 1
    write_run(tmp_path / "runs", "mp-9", rocksalt(), 0, xmu_dat=xmu_text(rows, "Cu").encode())
    imported = import_runs(tmp_path / "runs", tmp_path)
    assert len(curate(imported, tmp_path, envelope=3.4).spectra) == 12
    curated = curate(imported, tmp_path, envelope=3.3)
    (out,) = curated.rejected
    assert (out.material_id, out.reason, len(curated.spectra)) == ("mp-9", "outside_envelope", 11)
    sigma, energy = float(out.detail.split()[0]), float(out.detail.split()[-2])
    assert sigma == 3.32 and abs(energy - rows[spike, 0]) < 1.5
    assert out.detail.endswith(" eV")
    (shown,) = curated.examples
    assert shown.material_id == "mp-9" and (shown.spectrum > curated.envelope[1]).any()
    assert (curated.spectra <= curated.envelope[1]).all() and (curated.spectra >= curated.envelope[0]).all()


def test_a_subset_without_any_spectrum_is_told_with_the_reasons(tmp_path):
    write_run(tmp_path / "runs", "mp-1", rocksalt(), 0, xmu_dat=b"")
    write_run(tmp_path / "runs", "mp-2", cuprite(), 0, feff_out=None)
    imported = import_runs(tmp_path / "runs", tmp_path)
    begin = r"^Cu_FEFF: no spectrum is left: 0 spectra kept, 2 left out: 1 no_output, 1 not_converged\.(?!.*retry)"
    with tells("mp-1 site 0: xmu.dat is missing or empty", match=begin):
        curate(imported, tmp_path)
    failed = tmp_path / "failed.csv"
    failed.write_text("site,reason\nmp-1_000,killed\n")
    with pytest.raises(XanesflowError, match=r"no spectrum is left.* 1 site failed.*`xanesflow retry Cu_FEFF`"):
        curate(imported, tmp_path, failed=[failed])
    assert not (tmp_path / "spectra.h5").exists()


def test_no_site_of_a_structure_enters_in_which_feff_found_atoms_too_close(tmp_path):
    warned = run_files(layered(), 3)["feff.out"] + b":WARNING  TWO ATOMS VERY CLOSE TOGETHER. CHECK INPUT.\n"
    write_run(tmp_path / "runs", "mp-1", layered(), 3, feff_out=warned)
    write_run(tmp_path / "runs", "mp-1", layered(), 2)
    write_run(tmp_path / "runs", "mp-2", layered(), 2)
    curated = curate(import_runs(tmp_path / "runs", tmp_path), tmp_path)
    assert ids(curated) == ["mp-2_002"]
    assert reasons(curated) == {("mp-1", 2): "atoms_too_close", ("mp-1", 3): "atoms_too_close"}
    assert curated.rejected[0].detail.startswith("as of site 3: ")


def of_settings(folder, **changed):
    """An archive of four good runs; those of the materials in `changed` have another card in their feff.inp."""
    for number, structure in enumerate((cuprite(), rocksalt(), rocksalt(a=4.3), rocksalt(a=4.2)), start=1):
        old, new = changed.get(f"mp_{number}", ("RPATH -1", "RPATH -1"))
        text = run_files(structure, 0)["feff.inp"].decode()
        assert old in text
        write_run(folder, f"mp-{number}", structure, 0, feff_inp=text.replace(old, new).encode())


def test_imported_runs_with_other_physics_than_most_are_left_out_and_counted(tmp_path, caplog):
    other = {"mp_2": ("COREHOLE RPA", "NOHOLE"), "mp_4": ("SCF 7.0 0 100 0.2 3", "SCF 7.0 0 30 0.1 3")}
    of_settings(tmp_path / "runs", **other)
    imported = import_runs(tmp_path / "runs", tmp_path)
    caplog.clear()
    curated = curate(imported, tmp_path)
    assert ids(curated) == ["mp-1_000", "mp-3_000", "mp-4_000"]  # iterations and ca1 are no physics
    (out,) = curated.rejected
    assert (out.material_id, out.reason) == ("mp-2", "other_settings")
    assert out.detail == "COREHOLE NONE, not COREHOLE RPA"
    said = "Cu_FEFF: 1 of 4 runs have other physics settings than the subset: 1 with COREHOLE NONE, not COREHOLE RPA. "
    assert said + "They are left out" in caplog.text
    assert [(each.material_id, each.reason) for each in curated.examples] == [("mp-2", "other_settings")]
    caplog.clear()
    kept = curate(imported, tmp_path, mixed_settings=True)
    assert len(kept.spectra) == 4 and said + "They are kept" in caplog.text
    cards = "COREHOLE RPA; FMS 9 0; S02 0; SCF 7 0; XANES 4 0.04 0.1"
    assert curated.described == {"settings": cards}
    assert kept.described == {"settings": f"{cards} (3 runs; 1 with COREHOLE NONE, not COREHOLE RPA)"}
    assert dict(zip(ids(kept), kept.settings, strict=True)) == {
        "mp-1_000": "", "mp-2_000": "COREHOLE NONE, not COREHOLE RPA", "mp-3_000": "", "mp-4_000": "",
    }  # fmt: skip
    assert curated.settings == ()
    inputs = {"cards": {"SCF": "5.0 0 100 0.2 3"}, "radius": 9.0}
    assert ids(curate(imported, tmp_path, inputs=inputs)) == ids(curated)  # the majority counts for imported runs


def test_runs_that_nothing_shows_to_be_of_their_site_are_kept_and_counted(tmp_path, caplog):
    of_settings(tmp_path / "runs")
    text = run_files(rocksalt(), 0)["feff.inp"].decode()
    by_cell = text[: text.index("ATOMS")] + "RECIPROCAL\nCIF mp-2.cif\nTARGET 1\nEND\n"
    write_run(tmp_path / "runs", "mp-2", rocksalt(), 0, feff_inp=by_cell.encode())
    (tmp_path / "runs/Cu/mp-3/FEFF-XANES/000_Cu/feff.inp").unlink()
    curated = curate(import_runs(tmp_path / "runs", tmp_path), tmp_path, mixed_settings=True)
    assert len(curated.spectra) == 4
    assert "Cu_FEFF: 2 runs have no feff.inp with ATOMS, so only the name of the folder" in caplog.text


def test_own_runs_are_compared_with_the_configured_inputs_and_not_with_each_other(tmp_path):
    of_settings(tmp_path / "runs", mp_3=("FMS 9.0 0", "FMS 8.0 0"))
    imported = import_runs(tmp_path / "runs", tmp_path)
    for path in imported["chunks"]:
        computed = path.with_suffix(".new")
        with zipfile.ZipFile(path) as packed, zipfile.ZipFile(computed, "w") as written:
            for name in packed.namelist():
                content = packed.read(name)
                if name.endswith("/run.json"):
                    content = json.dumps(json.loads(content) | {"code": "FEFF 10.0.0"}).encode()
                written.writestr(name, content)
        computed.replace(path)
    cards = {"S02": "0", "COREHOLE": "RPA", "XANES": "4 0.04 0.1", "SCF": "7 0 50", "FMS": "8", "RPATH": "-1"}
    curated = curate(imported, tmp_path, inputs={"cards": cards, "radius": 9.0})
    assert ids(curated) == ["mp-3_000"]
    assert {each.detail for each in curated.rejected} == {"FMS 9 0, not FMS 8 0"}
    assert len(curate(imported, tmp_path).spectra) == 4


def test_chunks_and_workers_change_nothing(tmp_path):
    write_archive(tmp_path / "runs", materials=8)
    results = []
    for chunks, workers in ((1, 1), (5, 1), (30, 2)):
        folder = tmp_path / str(chunks)
        folder.mkdir()
        results.append(curate(import_runs(tmp_path / "runs", folder, chunks=chunks), folder, workers=workers))
    assert all(ids(other) == ids(results[0]) for other in results)
    assert all(np.array_equal(other.spectra, results[0].spectra) for other in results)


def test_a_file_that_is_not_one_of_spectra_is_told(tmp_path):
    (tmp_path / "spectra.h5").write_bytes(b"\x89HDF\r\n\x1a\n cut")
    with pytest.raises(XanesflowError, match=r"spectra\.h5 is not a complete file of curated spectra"):
        read_spectra(tmp_path / "spectra.h5")
    with h5py.File(tmp_path / "spectra.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(XanesflowError, match=r"spectra\.h5 is not a complete file of curated spectra"):
        read_spectra(tmp_path / "spectra.h5")


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The whole published archive of Cu, imported and curated once (some 20 s)."""
    archive = shared("feff9-cu.tar.xz")
    folder = tmp_path_factory.mktemp("published")
    return curate(import_runs(archive, folder, chunks=4), folder, envelope=2.5)


def test_of_the_published_archive_3767_spectra_are_kept_and_every_other_site_has_a_reason(published):
    assert len(published.spectra) == 3767
    found = reasons(published)
    no_output = [site for site, reason in found.items() if reason == "no_output"]
    assert [material for material, _ in no_output] == ["mp-1101124"] * 2
    finished = [site for site, reason in found.items() if reason not in {"no_run", "no_output"}]
    assert len(published.spectra) + len(finished) == 4831
    assert set(found.values()) == {"no_run", "no_output", "outside_envelope"}


def test_3753_published_training_and_validation_spectra_are_kept(published):
    named = set()
    for part in ("train", "val"):
        named |= set(shared(f"3dtm_xanes_ml2024/splits/Cu_FEFF_{part}.txt").read_text().split())
    assert len(named) == 3756
    assert len(named & set(ids(published))) == 3753
