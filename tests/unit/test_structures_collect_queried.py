"""What Materials Project answered becomes a subset's sites, as structures from anywhere else do."""

import json

import pytest
from feff_runs import rutile
from materials_project_data import COPPER, ask, query
from materials_project_server import document
from shared_data import shared
from site_tables import SiteTables

from xanesflow.core.errors import XanesflowError
from xanesflow.structures.collect_structures import collect_structures
from xanesflow.structures.materials_project.material_ids import check_ids, id_files, read_ids


def collect(folder, subset="Cu_FEFF", **options):
    element = subset.split("_")[0]
    tables = SiteTables(folder / subset)
    queried = (folder / f"{element}.parquet", folder / f"{element}.json")
    collect_structures(
        source="materials_project", directory=None, subset=subset, chunks=3, queried=queried, **tables.paths, **options
    )
    return tables.sites, {r.material_id: r.reason for r in tables.rejected}


def test_every_inequivalent_absorber_is_a_site_with_its_multiplicity(server, tmp_path):
    ask(server, tmp_path)
    sites, rejected = collect(tmp_path)
    assert sorted(set(sites["material_id"])) == COPPER
    multiplicities = sites.groupby("material_id")["multiplicity"].apply(sorted)
    assert multiplicities["mp-30"] == [4] and multiplicities["mp-361"] == [4]
    assert multiplicities["mp-21"] == [1, 2] and multiplicities["mvc-22"] == [1, 1, 1]
    assert rejected == {}


def test_what_was_left_out_of_the_answer_stands_in_the_rejected_table(server, tmp_path):
    server.documents += [document("mp-70", rutile("Ni")), document("mp-50", None, elements=["Cu", "O"])]
    ids = ["mp-30", "mp-361", "mp-50", "mp-70", "mp-123456"]
    ask(server, tmp_path, query(ids=ids, exclude=["mp-361"]))
    sites, rejected = collect(tmp_path)
    assert set(sites["material_id"]) == {"mp-30"}
    assert rejected == {
        "mp-361": "excluded", "mp-50": "no_structure", "mp-70": "no_absorber", "mp-123456": "not_found",
    }  # fmt: skip


def test_two_subsets_of_an_element_share_an_answer_and_each_takes_its_own_ids(server, tmp_path):
    lists = tmp_path / "ids"
    lists.mkdir()
    for part, feff, vasp in [
        ("train", "mp-30_000\nmp-20_000\nmp-20_001\n", "mp-20_000\n"),
        ("val", "mp-9361_000\n", "mp-9361_000\n"),
        ("test", "mp-123456_003\n", "mp-1692_000\n"),
    ]:
        (lists / f"Cu_FEFF_{part}.txt").write_text(feff)
        (lists / f"Cu_VASP_{part}.txt").write_text(vasp)
    feff, vasp = id_files(str(lists), "Cu_FEFF"), id_files(str(lists), "Cu_VASP")
    manifest = ask(server, tmp_path, query(ids=read_ids([*feff, *vasp])))
    assert sorted(manifest.materials) == ["mp-1692", "mp-20", "mp-30", "mp-361"]
    sites, rejected = collect(tmp_path, "Cu_FEFF", id_files=feff)
    assert set(sites["material_id"]) == {"mp-20", "mp-30", "mp-361"} and rejected.keys() == {"mp-123456"}
    sites, rejected = collect(tmp_path, "Cu_VASP", id_files=vasp)
    assert set(sites["material_id"]) == {"mp-20", "mp-1692", "mp-361"} and rejected == {}


def test_an_answer_without_the_absorber_is_told(server, tmp_path):
    ask(server, tmp_path, query(ids=["mp-390"]))
    with pytest.raises(XanesflowError, match=r"no site of Cu in the answer of Materials Project.*1 no_absorber"):
        collect(tmp_path)


def test_a_manifest_that_cannot_be_read_is_told(server, tmp_path):
    ask(server, tmp_path)
    (tmp_path / "Cu.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(XanesflowError, match=r"Cu\.json is not a manifest of this version; remove it"):
        collect(tmp_path)


def test_the_published_lists_name_the_materials_of_a_subset():
    files = id_files(str(shared("3dtm_xanes_ml2024/splits")), "Cu_VASP")
    ids = read_ids(files)
    lines = [line for file in files for line in open(file).read().split()]  # noqa: PTH123, SIM115
    assert len(lines) == 2584 + 321 + 321  # as the paper says
    assert ids == sorted({line[:-4] for line in lines})
    assert any(
        each.startswith("mvc-") for each in read_ids(id_files(str(shared("3dtm_xanes_ml2024/splits")), "Mn_FEFF"))
    )


def test_lists_of_ids_take_ids_sites_comments_and_empty_lines(tmp_path):
    (tmp_path / "ids.txt").write_text("# mine\nmp-390\n\nmp-30_012  # with a site\nmvc-7\nmp-aaaaaapa_001\nmp-abcde\n")
    assert id_files(str(tmp_path / "ids.txt"), "Cu_FEFF") == [str(tmp_path / "ids.txt")]
    assert read_ids([tmp_path / "ids.txt"]) == ["mp-30", "mp-390", "mp-abcde", "mvc-7"]
    assert check_ids(["mp-390", "mp-1", "mp-aaaaaapa"], "ids") == ["mp-1", "mp-390"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"mp-1\nCuO\n", r"ids\.txt, line 2: 'CuO' is not a material id; write one such as mp-390"),
        (b"mp-1_a\n", "'mp-1_a' is not a material id"),
        (b"# nothing\n", "holds no material id"),
        (b"\xff\xfe\x00", "is not a text file"),
    ],
)
def test_a_list_that_is_none_is_told_with_its_line(tmp_path, content, told):
    (tmp_path / "ids.txt").write_bytes(content)
    with pytest.raises(XanesflowError, match=told):
        read_ids([tmp_path / "ids.txt"])


def test_a_list_that_is_not_there_is_told(tmp_path):
    with pytest.raises(XanesflowError, match=r"ids is .*nowhere, which does not exist \(looked from"):
        id_files(str(tmp_path / "nowhere"), "Cu_FEFF")
    (tmp_path / "Cu_FEFF_train.txt").write_text("mp-1\n")
    with pytest.raises(XanesflowError, match=r"a folder without Cu_FEFF_val\.txt, Cu_FEFF_test\.txt"):
        id_files(str(tmp_path), "Cu_FEFF")
