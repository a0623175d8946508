"""Features of a subset's sites from runs of a cheaper level of theory: pairing, what is left out, and settings."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from feff_runs import GRID_START_EV, feff_inp, layered, perovskite, run_files, write_run

from xanesflow.codes.lightshow_tree import run_folder
from xanesflow.codes.quick_look import packages_of
from xanesflow.codes.registry import load, theory_of
from xanesflow.codes.run_zip import ChunkWriter
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.features.cheap_runs import collect_features
from xanesflow.features.cheap_runs.collect_features import collect_cheap_runs
from xanesflow.features.cheap_runs.columns import FIELD, FRAME_POINTS, OF_RUN, blocks_of, columns_of, frame_energies
from xanesflow.features.compute_features import read_features
from xanesflow.simulations.import_archive import import_archive
from xanesflow.structures.copy_site_table import copy_site_table
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures

START = GRID_START_EV["Cu"]
ENERGY = np.arange(START - 8, START + 45, 0.1)
RECORD = {
    "outcome": "finished",
    "field": {name: 0.1 * k for k, name in enumerate(FIELD)},
    "edge_ev": START + 6.0,
    "convergence": {"converged": True, "last_change_ev": 0.05, "iterations": 4},
    "settings": {"code": "engine 3", "scf_radius": 2.6},
}
SITES = [("mp-1", 2), ("mp-1", 3), ("mp-2", 1)]
STRUCTURES = {"mp-1": layered(), "mp-2": perovskite()}


def xmu(height: float) -> str:
    """A spectrum that rises by `height` at every eV."""
    rows = [f"{e:.4f} {height * (e - ENERGY[0] + 1):.8e} 1e-4" for e in ENERGY]
    return "# absorber Z=29 K\n# energy_ev mu_bohr2 mu0_bohr2\n" + "\n".join(rows) + "\n"


class Campaign:
    """Tables of three sites of two materials, and a chunk with what a test puts there."""

    def __init__(self, folder):
        self.folder = folder
        materials = {name: describe(name, structure, symprec=0.01) for name, structure in STRUCTURES.items()}
        write_structures(folder / "structures.parquet", materials.values())
        write_site_table(folder / "sites.parquet", [(materials[m], i) for m, i in SITES], chunks=1)

    def collect(self, records, *, structures=STRUCTURES, energy_start_ev=START):
        """Collect from runs with these records by site; their spectra rise by 1e-6, 2e-6, ... bohr² an eV."""
        with ChunkWriter([self.folder / "0000.zip"]) as writer:
            for number, ((material, site), record) in enumerate(sorted(records.items()), start=1):
                folder = run_folder("Cu", material, site, "FEFF8L")
                writer.add(0, f"{folder}/xmu.dat", xmu(number * 1e-6).encode())
                writer.add(0, f"{folder}/feff.inp", feff_inp(structures[material], site, "Cu").encode())
                writer.add_record(0, folder, record)
        collect_cheap_runs(
            [self.folder / "0000.zip"], self.folder / "f.h5", name="feff8l", subset="Cu_FEFF",
            structures=self.folder / "structures.parquet", site_table=self.folder / "sites.parquet",
            energy_start_ev=energy_start_ev, config_json="{}",
        )  # fmt: skip
        return read_features(self.folder / "f.h5")


@pytest.fixture
def campaign(tmp_path):
    return Campaign(tmp_path)


def test_each_site_has_its_own_run_of_which_spectrum_and_numbers_are_taken(campaign):
    found = campaign.collect(dict.fromkeys(SITES, RECORD))
    assert list(zip(found.material_id, found.site_index.tolist(), strict=True)) == SITES
    for number, row in enumerate(found.features, start=1):
        expected = number * 1e-6 * (frame_energies(START) - ENERGY[0] + 1)
        assert row[:FRAME_POINTS] == pytest.approx(expected, rel=1e-5)
        assert row[FRAME_POINTS : -len(OF_RUN)] == pytest.approx(0.1 * np.arange(len(FIELD)))
        assert row[-len(OF_RUN) :] == pytest.approx([START + 6, 1.0, 0.05])
    assert json.loads(found.attributes["settings"]) == RECORD["settings"]


def test_what_has_no_good_run_is_listed_with_its_reason(campaign):
    failed = {"outcome": "failed", "reason": "timed_out", "detail": "it took more than 120 s", "settings": {}}
    found = campaign.collect({SITES[0]: RECORD, SITES[1]: failed})
    assert [(r.material_id, r.site_index, r.detail) for r in found.rejected] == [
        ("mp-1", 3, "FEFF8L: it took more than 120 s."), ("mp-2", 1, "FEFF8L: there is no run of it."),
    ]  # fmt: skip


def test_a_record_without_numbers_blames_the_old_engine_only_where_it_made_the_run():
    for name, old in (("feff8l", True), ("feffq", False)):
        with pytest.raises(BadRunError, match="its record lacks numbers of the potentials") as caught:
            columns_of(name, ENERGY, np.ones(len(ENERGY)), {}, START)
        assert ("as the engine of xanesflow 0.1 wrote none" in str(caught.value)) == old


def test_the_engines_numbers_are_in_the_order_of_their_names():
    """Stored features and models rely on it."""
    assert list(FIELD) == sorted(FIELD) and len(FIELD) == 17


def test_runs_of_two_settings_are_refused_with_both_named(campaign):
    other = RECORD | {"settings": {"code": "engine 3", "scf_radius": 3.0}}
    with pytest.raises(XanesflowError, match=r"mp-1_002 and mp-1_003 have different settings \(scf_radius: .*2.6.*3.0"):
        campaign.collect({SITES[0]: RECORD, SITES[1]: other})


def test_imported_runs_with_other_physics_than_most_are_left_out_as_curation_does(tmp_path, caplog):
    for partner in ("Sr", "Ca", "Ba"):
        structure = perovskite("Cu", partner)
        text = run_files(structure, 1)["feff.inp"].decode()
        if partner == "Ba":
            text = text.replace("COREHOLE RPA", "COREHOLE NONE").replace("SCF 7.0", "SCF 3.0")
        write_run(tmp_path / "runs", f"mp-{partner}", structure, 1, feff_inp=text.encode())
    chunks = [tmp_path / "0000.zip"]
    tables = {"structures": tmp_path / "s.parquet", "site_table": tmp_path / "t.parquet"}
    import_archive(tmp_path / "runs", subset="Cu_FEFF", chunks=chunks, rejected=tmp_path / "r.parquet", **tables)

    def collect(**settings):
        given = {"name": "feff", "subset": "Cu_VASP", "energy_start_ev": START}
        collect_cheap_runs(chunks, tmp_path / "f.h5", **given, **tables, **settings)
        return read_features(tmp_path / "f.h5")

    found = collect()
    assert found.material_id.tolist() == ["mp-Ca", "mp-Sr"]
    (out,) = found.rejected
    assert (out.material_id, out.detail) == (
        "mp-Ba",
        "FEFF: its physics settings are not those of most runs: COREHOLE NONE, not COREHOLE RPA; SCF 3 0, not SCF 7 0.",
    )
    assert "Cu_FEFF: 1 of 3 runs have other physics settings than the subset" in caplog.text
    assert len(collect(mixed_settings=True).features) == 3


def test_a_run_around_another_site_is_no_partner(campaign):
    """As where two versions of a material number their atoms differently."""
    numbered_otherwise = {**STRUCTURES, "mp-2": perovskite("Cu", "Ba", 4.2)}
    found = campaign.collect(dict.fromkeys(SITES, RECORD), structures=numbered_otherwise)
    assert [(r.material_id, r.site_index) for r in found.rejected] == [("mp-2", 1)]
    assert "not the one around site 1" in found.rejected[0].detail


def test_a_run_that_its_reader_cannot_make_sense_of_is_listed_and_stops_no_other(campaign, monkeypatch):
    def reader_of(theory):
        def read(run, shared, **given):
            if run.site == SITES[1]:
                raise IndexError("list index out of range")
            return reader(run, shared, **given)

        reader = load(theory_of(theory).reader)
        return read

    monkeypatch.setattr(collect_features, "reader_of", reader_of)
    found = campaign.collect(dict.fromkeys(SITES, RECORD))
    assert list(zip(found.material_id, found.site_index.tolist(), strict=True)) == [SITES[0], SITES[2]]
    assert [(r.material_id, r.site_index) for r in found.rejected] == [SITES[1]]
    assert found.rejected[0].detail.startswith("FEFF8L: its files are not what the code writes")


def test_the_versions_recorded_are_those_of_the_theory_that_ran(campaign):
    assert {"xraylarch", "scipy"} < campaign.collect(dict.fromkeys(SITES, RECORD)).versions.keys()
    assert {name: packages_of(name)[0] for name in ("FEFF", "FEFFQ", "FEFF8L", "VASP")} == {
        "FEFF": "feff10-rs", "FEFFQ": "feff10-rs", "FEFF8L": "xraylarch", "VASP": "pymatgen-core",
    }  # fmt: skip


def test_records_without_numbers_and_short_spectra_are_listed(campaign):
    old = {name: value for name, value in RECORD.items() if name != "field"}
    found = campaign.collect({SITES[0]: RECORD, SITES[1]: old})
    assert "lacks numbers of the potentials" in found.rejected[0].detail
    with pytest.raises(XanesflowError, match=r"None of the 3 sites of Cu_FEFF .* the last computed energy is"):
        campaign.collect(dict.fromkeys(SITES, RECORD), energy_start_ev=START + 20)


def test_the_cheaper_level_has_the_same_sites_in_chunks_of_its_own(campaign, tmp_path):
    tables = [tmp_path / name for name in ("structures.parquet", "sites.parquet", "s.parquet", "t.parquet")]
    copy_site_table(*tables, theory="FEFF8L", chunks=7)
    before, after = (pd.read_parquet(tables[k]) for k in (1, 3))
    same = ["material_id", "site_index", "multiplicity", "formula"]
    assert after[same].equals(before[same])
    assert after["chunk"].max() > 0
    assert (after["core_hours"] > 0).all()
    assert pd.read_parquet(tables[2]).equals(pd.read_parquet(tables[0]))


def test_a_field_of_one_iteration_has_changed_from_the_free_atoms(campaign):
    once = {**RECORD, "convergence": {"converged": True, "last_change_ev": float("inf"), "iterations": 1}}
    campaign.collect({SITES[0]: once})
    row = read_features(campaign.folder / "f.h5").features[0]
    field = RECORD["field"]
    assert row[-1] == pytest.approx(abs(field["fermi_ev"] - field["start_ev"]))


def test_kernels_see_how_the_fermi_level_moved():
    numbers = np.zeros((1, len(FIELD) + len(OF_RUN)))
    levels = {"fermi_ev": -7.0, "third_ev": -6.5, "second_ev": -8.0, "first_ev": -3.0, "start_ev": 2.0}
    for name, level in levels.items():
        numbers[0, FIELD.index(name)] = level
    numbers[0, FIELD.index("charge")] = 0.3
    course, others = blocks_of(numbers)
    assert course.tolist() == [[-7.0, 0.5, -1.0, 4.0, 9.0]]
    assert others.shape == (1, 15)
    assert sorted(others[0])[-2:] == [0.0, 0.3]
    assert blocks_of(np.empty((4, 0))) == []
