"""The query to Materials Project: what is asked, what is kept, what has changed. mp-api asks a server on loopback."""

import json

import pandas as pd
import pytest
from feff_runs import cuprite, rocksalt
from materials_project_data import ALLOY, COPPER, ask, documents, query
from materials_project_server import document
from pymatgen.core import Structure
from sentences import tells

from xanesflow.core.errors import XanesflowError
from xanesflow.structures.materials_project.manifest import read_manifest
from xanesflow.structures.same_crystal import same_structure


def reasons(manifest):
    return {each.material_id: each.reason for each in manifest.left_out}


def details(manifest):
    return {each.material_id: each.detail for each in manifest.left_out}


def test_the_loopback_server_serves_documents_of_materials_projects_own_model():
    from emmet.core.summary import SummaryDoc  # heavy

    for each in documents():
        SummaryDoc.model_validate({"volume": 1.0, "property_name": "summary", "origins": [], "warnings": [], **each})


def test_the_papers_systems_find_the_element_and_its_oxides_with_up_to_two_more(server, tmp_path):
    manifest = ask(server, tmp_path)
    assert sorted(manifest.materials) == COPPER
    assert server.systems_asked() == ["Cu", "Cu-O", "Cu-O-*", "Cu-O-*-*"]
    assert all(q["batch_id_not_eq"] == "gnome_r2scan_statics" for _, q in server.questions)  # another licence
    assert (manifest.found, manifest.database_version, manifest.changes) == (7, server.version, None)
    assert manifest.materials["mp-30"]["last_updated"] == "2026-10-01T12:00:00.000000Z"
    assert {"mp-api", "emmet-core", "pymatgen"} <= manifest.versions.keys()
    assert ask(server, tmp_path, query("Ti")).materials.keys() == {"mp-390", "mp-391"}


def test_an_element_behind_oxygen_is_named_in_the_order_of_the_alphabet(server, tmp_path):
    server.documents.append(document("mp-77", rocksalt("V")))
    ask(server, tmp_path, query("V"))
    assert server.systems_asked() == ["V", "O-V", "O-V-*", "O-V-*-*"]


def test_the_file_holds_the_served_structures_in_the_order_of_ids_and_byte_by_byte_the_same(server, tmp_path):
    ask(server, tmp_path / "a")
    server.documents.reverse()
    ask(server, tmp_path / "b", page_size=100)
    table = pd.read_parquet(tmp_path / "a/Cu.parquet")
    assert list(table["material_id"]) == COPPER
    stored = Structure.from_dict(json.loads(table.set_index("material_id")["structure"]["mp-361"]))
    assert same_structure(stored, cuprite())
    assert (tmp_path / "a/Cu.parquet").read_bytes() == (tmp_path / "b/Cu.parquet").read_bytes()


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"theoretical": False}, ["mp-21"]),
        ({"energy_above_hull": 0.1}, ["mp-20"]),
        ({"max_atoms": 5}, ["mp-21", "mp-23", "mp-361", "mvc-22"]),
        ({"theoretical": False, "energy_above_hull": 0.1, "include": ["mp-20"]}, ["mp-21"]),
    ],
)
def test_filters_leave_out_and_include_adds(server, tmp_path, filters, left):
    atoms = {d["material_id"]: d["nsites"] for d in server.documents}
    manifest = ask(server, tmp_path, query(**filters))
    if "max_atoms" in filters:
        left = [name for name in COPPER if atoms[name] > 5]
    assert sorted(manifest.materials) == [name for name in COPPER if name not in left]


def test_excluded_materials_stand_among_what_is_left_out(server, tmp_path):
    manifest = ask(server, tmp_path, query(exclude=["mp-30", "mp-9361"]))
    assert sorted(manifest.materials) == [name for name in COPPER if name not in ("mp-30", "mp-361")]
    assert reasons(manifest) == {"mp-30": "excluded", "mp-361": "excluded"}
    assert "as mp-9361" in details(manifest)["mp-361"]


def test_a_list_of_ids_is_asked_for_exactly_whatever_the_filters_say(server, tmp_path):
    manifest = ask(server, tmp_path, query(ids=["mp-40", "mp-20", "mp-390"], theoretical=True))
    assert sorted(manifest.materials) == ["mp-20", "mp-390", "mp-40"]
    assert server.systems_asked() == []


def test_an_id_that_moved_is_followed_and_noted(server, tmp_path, caplog):
    caplog.set_level("INFO")
    manifest = ask(server, tmp_path, query(ids=["mp-9361", "mp-30"]))
    assert sorted(manifest.materials) == ["mp-30", "mp-361"]
    assert manifest.moved == {"mp-9361": "mp-361"}
    assert "mp-9361 is mp-361 now" in caplog.text


def test_ids_that_do_not_exist_or_are_deprecated_are_left_out_with_their_reason(server, tmp_path):
    manifest = ask(server, tmp_path, query(ids=["mp-30", "mp-123456", "mp-41"]))
    assert sorted(manifest.materials) == ["mp-30"]
    assert reasons(manifest) == {"mp-123456": "not_found", "mp-41": "not_found"}
    said = "Materials Project has no such material", "Materials Project has deprecated it"
    assert details(manifest) == {"mp-123456": said[0], "mp-41": said[1]}


def test_an_id_to_include_that_does_not_exist_is_a_mistake(server, tmp_path):
    with tells(match=r"include names mp-123456 \(Materials Project has no such material\); correct"):
        ask(server, tmp_path, query(include=["mp-123456"]))


def test_documents_without_a_usable_structure_are_left_out_with_their_reason(server, tmp_path):
    server.documents += [
        document("mp-50", None, elements=["Cu", "O"]),
        document("mp-51", ALLOY, elements=["Cu"]),
        document("mp-52", Structure.from_sites([*rocksalt(), rocksalt()[0]], validate_proximity=False)),
    ]
    manifest = ask(server, tmp_path, query(systems=["Cu-O", "Cu-*"], include=["mp-51"]))
    assert reasons(manifest) == {"mp-50": "no_structure", "mp-51": "disordered", "mp-52": "atoms_too_close"}
    assert "no structure" in details(manifest)["mp-50"]
    assert manifest.found == len(manifest.materials) + 3


def test_a_query_that_finds_nothing_is_told(server, tmp_path):
    with pytest.raises(XanesflowError, match=r"no usable structure for Zn that Zn, Zn-O, .* asks for \(0 found\)"):
        ask(server, tmp_path, query("Zn"))
    assert not (tmp_path / "Zn.json").exists()


def test_the_frozen_answer_is_kept_without_any_question(server, tmp_path, monkeypatch):
    first = ask(server, tmp_path)
    asked = server.asked
    server.documents.clear()
    monkeypatch.delenv("MP_API_KEY")
    assert ask(server, tmp_path) == first
    assert server.asked == asked


def test_another_query_or_a_lost_file_of_structures_is_asked(server, tmp_path):
    ask(server, tmp_path)
    manifest = ask(server, tmp_path, query(systems=["Cu-O"]))
    assert sorted(manifest.materials) == ["mp-1692", "mp-361"]
    assert manifest.changes["withdrawn"] == sorted(set(COPPER) - {"mp-1692", "mp-361"})
    (tmp_path / "Cu.parquet").unlink()
    assert ask(server, tmp_path, query(systems=["Cu-O"])).changes["withdrawn"] == []


def test_a_refresh_tells_what_was_added_changed_moved_and_withdrawn(server, tmp_path, caplog):
    caplog.set_level("INFO")
    first = ask(server, tmp_path)
    by_id = {d["material_id"]: d for d in server.documents}
    server.version = "2027.01.01"
    server.documents.append(document("mp-60", cuprite(a=4.5)))
    by_id["mp-20"]["structure"]["lattice"]["matrix"][0][0] += 0.01
    by_id["mp-20"]["last_updated"] = by_id["mp-21"]["last_updated"] = "2026-12-31T00:00:00Z"
    server.documents.remove(by_id["mp-23"])
    by_id["mp-361"]["material_id"] = "mp-61"
    manifest = ask(server, tmp_path, refresh=True)
    assert manifest.changes == {
        "since": first.asked,
        "database_version": "2026.10.15",
        "added": ["mp-60"],
        "withdrawn": ["mp-23"],
        "moved": {"mp-361": "mp-61"},
        "changed_structure": ["mp-20"],
        "changed_record": ["mp-21"],
    }
    assert manifest.database_version == "2027.01.01"
    assert "1 added (mp-60), 1 withdrawn (mp-23), 1 moved to another id (mp-361 to mp-61)" in caplog.text
    assert "1 with a changed structure (mp-20)" in caplog.text
    assert read_manifest(tmp_path / "Cu.json") == manifest


def test_magnetic_moments_of_a_document_do_not_change_its_structure(server, tmp_path):
    ask(server, tmp_path)
    for site in server.documents[0]["structure"]["sites"]:
        site["properties"] = {"magmom": 1.5}
    assert ask(server, tmp_path, refresh=True).changes["changed_structure"] == []
