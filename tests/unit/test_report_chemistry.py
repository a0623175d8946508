"""Oxidation states and neighbours of the absorbers, against what crystal chemistry says of well-known structures."""

import json

import h5py
import pytest
from dataset_files import write_dataset
from pymatgen.core import Lattice, Structure

from xanesflow.report.explorer import site_chemistry
from xanesflow.report.explorer.site_chemistry import describe_sites, read_chemistry

RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
COPPER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.615), ["Cu"], [[0, 0, 0]])
MAGNETITE = Structure.from_spacegroup(
    "Fd-3m:2", Lattice.cubic(8.394), ["Fe", "Fe", "O"], [[1 / 8, 1 / 8, 1 / 8], [1 / 2] * 3, [0.2548] * 3]
)


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path, subsets=("Cu_FEFF",))


def described(path, folder):
    describe_sites(path, folder / "c.parquet", answers_file=folder / "kept.jsonl")
    table = read_chemistry(folder / "c.parquet")
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
    assert (titanium.formula, titanium.oxidation_state, titanium.coordination, titanium.oxygens) == ("TiO2", 4, 6, 6)
    assert (copper.oxidation_state, copper.oxidation_from, copper.coordination, copper.oxygens) == (0, "element", 12, 0)
    assert iron.formula == "Fe3O4" and iron.oxidation_state in (2, 3, pytest.approx(8 / 3)) and iron.oxygens == 4
    assert (cuprite.oxidation_state, cuprite.oxidation_from) == (1, "bond valence")
    assert (cuprite.coordination, cuprite.oxygens) == (2, 2)
    assert len(found) == 13


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
    assert "No oxidation state" in rows[2].detail and rows[2].coordination == 8 and rows[2].oxygens == 0
    assert "CrystalNN failed" in rows[3].detail
    assert all(row.oxidation_state != row.oxidation_state for row in rows)  # NaN
    assert "3 sites without a coordination number" in caplog.text and "4 unknown" in caplog.text


def test_a_job_that_was_killed_goes_on_from_what_it_had(dataset, tmp_path, monkeypatch):
    first = described(dataset, tmp_path)
    kept = tmp_path / "kept.jsonl"
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:5]) + lines[5][:30])  # killed while it wrote the sixth
    asked = []
    describe = site_chemistry._describe
    monkeypatch.setattr(site_chemistry, "_describe", lambda work: asked.append(work) or describe(work))
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
