"""Oxidation states, neighbours, distances and charges of absorbers, against crystal chemistry and plain geometry."""

import json
import math
import zipfile

import h5py
import pyarrow.parquet as pq
import pytest
from dataset_files import write_dataset
from input_structures import rutile
from pymatgen.core import Lattice, Structure

from xanesflow.codes.feff8l.read_run import charge_of_run as charge_of_engine_run
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.interpretation import describe_sites as describing
from xanesflow.interpretation import describe_structure
from xanesflow.interpretation.describe_sites import COLUMNS, describe_sites, read_descriptions
from xanesflow.interpretation.describe_structure import method

RUTILE = rutile()
COPPER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.615), ["Cu"], [[0, 0, 0]])
MAGNETITE = Structure.from_spacegroup(
    "Fd-3m:2", Lattice.cubic(8.394), ["Fe", "Fe", "O"], [[1 / 8, 1 / 8, 1 / 8], [1 / 2] * 3, [0.2548] * 3]
)


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path, subsets=("Cu_FEFF",))


def described(path, folder):
    describe_sites(path, folder / "c.parquet", answers_file=folder / "kept.jsonl")
    table = read_descriptions(folder / "c.parquet")
    return {(row.material_id, row.site_index): row for row in table.itertuples()}


def put(path, material, structure):
    """Put another structure in the place of a material's."""
    with h5py.File(path, "a") as file:
        del file["structures"][material]
        text = structure if isinstance(structure, str) else json.dumps(structure.as_dict())
        file["structures"].create_dataset(material, data=text, dtype=h5py.string_dtype())


def test_textbook_structures_have_their_oxidation_states_and_neighbours(dataset, tmp_path):
    put(dataset, "mp-0", RUTILE)  # the absorber is atom 1 of the perovskites
    put(dataset, "mp-1", COPPER)
    put(dataset, "mp-2", MAGNETITE)
    found = described(dataset, tmp_path)
    titanium, copper, iron, cuprite = (found[f"mp-{k}", 1 if k < 12 else 0] for k in (0, 1, 2, 12))
    assert (titanium.formula, titanium.oxidation_state, titanium.cn, titanium.oxygens) == ("TiO2", 4, 6, 6)
    assert (copper.oxidation_state, copper.oxidation_from, copper.cn, copper.oxygens) == (0, "element", 12, 0)
    assert iron.formula == "Fe3O4" and iron.oxidation_state in (2, 3, pytest.approx(8 / 3)) and iron.oxygens == 4
    assert (cuprite.oxidation_state, cuprite.oxidation_from) == (1, "bond valence")
    assert (cuprite.cn, cuprite.oxygens) == (2, 2)
    assert len(found) == 13


def test_distances_and_coordination_of_rutile_are_those_of_its_geometry(dataset, tmp_path):
    put(dataset, "mp-0", RUTILE)
    put(dataset, "mp-1", COPPER)
    found = described(dataset, tmp_path)
    titanium, copper = found["mp-0", 1], found["mp-1", 1]
    # Four oxygens in the plane of the cell's face and two along its diagonal; neighbouring octahedra share an edge.
    a, c, u = 4.594, 2.959, 0.305
    equatorial, apical = math.hypot((0.5 - u) * a * math.sqrt(2), c / 2), u * a * math.sqrt(2)
    mean = (4 * equatorial + 2 * apical) / 6
    assert titanium.nn_mean == pytest.approx(mean)
    assert titanium.nn_std == pytest.approx(math.sqrt((4 * (equatorial - mean) ** 2 + 2 * (apical - mean) ** 2) / 6))
    assert titanium.min_nn_nn == pytest.approx((1 - 2 * u) * a * math.sqrt(2))
    assert titanium.ocn == 3 and titanium.bond_valence_sum == pytest.approx(4, abs=0.3)
    assert (copper.ocn, copper.nn_std, copper.bond_valence_sum) == (12, pytest.approx(0, abs=1e-6), 0)
    assert copper.nn_mean == copper.min_nn_nn == pytest.approx(3.615 / math.sqrt(2))


def test_the_charge_comes_from_the_runs_that_print_one(dataset, tmp_path):
    log = b"Charge transfer:  type  charge\n   0   -0.100\nCharge transfer:  type  charge\n   0   0.274\n   1  -0.3\n"
    runs = {"Cu/mp-0/FEFF-XANES/001_Cu/feff.out": log, "Cu/mp-1/FEFF-XANES/001_Cu/feff.out": b"no charge\n"}
    with zipfile.ZipFile(tmp_path / "0000.zip", "w") as packed:
        for name, content in runs.items():
            packed.writestr(name, content)
    chunks = {"Cu_FEFF": [tmp_path / "0000.zip"], "Cu_VASP": [tmp_path / "not read.zip"]}
    describe_sites(dataset, tmp_path / "c.parquet", answers_file=tmp_path / "kept.jsonl", runs=chunks)
    charges = read_descriptions(tmp_path / "c.parquet").set_index("material_id")["charge_transfer"]
    assert charges["mp-0"] == 0.274 and charges.drop("mp-0").isna().all()
    stated = json.loads(pq.read_schema(tmp_path / "c.parquet").metadata[b"xanesflow.descriptors"])
    assert stated["columns"]["nn_std"]["unit"] == "Å" and "CrystalNN" in stated["method"]
    record = {"field": {"charge": -0.35}}
    assert charge_of_engine_run(FinishedRun("mp-0", 1, {}, record)) == -0.35
    assert charge_of_engine_run(FinishedRun("mp-0", 1, {}, {})) is None


def test_what_cannot_be_found_is_kept_with_its_reason_and_counted(dataset, tmp_path, caplog):
    caplog.set_level("INFO")
    with h5py.File(dataset, "a") as file:
        del file["structures"]["mp-0"]
    put(dataset, "mp-1", "{}")
    alloy = Structure(Lattice.cubic(2.95), ["Zn", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])  # no charges to balance
    put(dataset, "mp-2", alloy)
    put(dataset, "mp-3", Structure(Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]]))  # and no atom 1
    found = described(dataset, tmp_path)
    rows = [found[f"mp-{k}", 1] for k in range(4)]
    assert "no structure of the material" in rows[0].detail
    assert "cannot be read" in rows[1].detail and rows[1].oxidation_from == ""
    assert "No oxidation state" in rows[2].detail and rows[2].cn == 8 and rows[2].oxygens == 0
    assert "CrystalNN failed" in rows[3].detail
    assert all(row.oxidation_state != row.oxidation_state for row in rows)  # NaN
    assert "3 sites without a coordination number" in caplog.text and "4 unknown" in caplog.text


def test_stored_answers_name_what_they_say_and_belong_to_the_columns_of_their_time(dataset, tmp_path, monkeypatch):
    first = described(dataset, tmp_path)
    entries = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    stored = {name for entry in entries for site in entry["sites"].values() for name in site}
    assert stored == set(COLUMNS) - {"subset", "material_id", "site_index", "charge_transfer"}
    # The order of what is stored is no matter.
    for entry in entries:
        entry["sites"] = {site: dict(reversed(answer.items())) for site, answer in entry["sites"].items()}
    (tmp_path / "kept.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    monkeypatch.setattr(describing, "_describe", None)
    again = described(dataset, tmp_path)
    assert [row.nn_mean for row in again.values()] == [row.nn_mean for row in first.values()]
    # With one more column every structure is asked anew.
    method.cache_clear()
    monkeypatch.setattr(describe_structure, "DESCRIBED", (*describe_structure.DESCRIBED, "one_more"))
    with pytest.raises(TypeError, match="not callable"):
        described(dataset, tmp_path)
    method.cache_clear()


def test_a_job_that_was_killed_goes_on_from_what_it_had(dataset, tmp_path, monkeypatch):
    first = described(dataset, tmp_path)
    kept = tmp_path / "kept.jsonl"
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:5]) + lines[5][:30])  # killed while it wrote the sixth
    asked = []
    describe = describing._describe
    monkeypatch.setattr(describing, "_describe", lambda work: asked.append(work) or describe(work))
    again = described(dataset, tmp_path)
    assert len(asked) == len(lines) - 5
    assert {site: tuple(row)[1:4] for site, row in first.items()} == {
        site: tuple(row)[1:4] for site, row in again.items()
    }
    asked.clear()
    described(dataset, tmp_path)
    assert not asked
    put(dataset, "mp-0", RUTILE)
    described(dataset, tmp_path)
    assert [work.material_id for work in asked] == ["mp-0"]
