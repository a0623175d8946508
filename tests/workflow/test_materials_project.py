"""From a query to Materials Project (on loopback) to site tables: asked once, frozen, refreshed on demand."""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from feff_runs import cuprite, layered, perovskite, rocksalt, rutile
from materials_project_server import KEY, document, serving, status
from workflow import run, write_run_config

ANSWERS = Path("results/structures/materials_project")
INPUTS = {
    "FEFF": ["FEFF-XANES/000_Ti/feff.inp"],
    "VASP": ["VASP/SCF/INCAR", "VASP/000_Ti/POTCAR.spec"],
    "OCEAN": ["OCEAN/Ti/ocean.in"],
    "EXCITING": ["EXCITING/000_Ti/input.xml"],
    "XSPECTRA": ["XSpectra/GS/gs.in", "XSpectra/000_Ti/es.in"],
    "FDMNES": ["FDMNES/Ti_in.txt"],
}
"""Code -> some of the files that it is given for a material of Ti."""


@pytest.fixture
def server(monkeypatch):
    documents = [
        document("mp-361", cuprite(), task_ids=["mp-361", "mp-9361"]),
        document("mp-1692", rocksalt()),
        document("mp-21", layered()),
        document("mp-390", rutile("Ti")),
        document("mp-391", perovskite("Ti")),
    ]
    with serving(documents) as running:
        monkeypatch.setenv("MP_API_KEY", KEY)
        monkeypatch.setenv("MP_API_ENDPOINT", running.endpoint)
        yield running


def configure(directory, subsets=("Cu_FEFF8L", "Ti_FEFF8L"), **options):
    write_run_config(directory, *subsets, structures={"source": "materials_project", "materials_project": options})


def refresh(directory):
    return run(directory, "structures", "--config", "structures={refresh: true}")


def manifest(directory, element):
    return json.loads((directory / ANSWERS / f"{element}.json").read_text())


def materials(directory, subset):
    return sorted(set(pd.read_parquet(directory / f"results/structures/{subset}_sites.parquet")["material_id"]))


def nothing_to_do(directory):
    return "Nothing to be done" in run(directory, "structures")


def test_a_query_ends_in_packed_inputs_for_every_code(server, tmp_path):
    configure(tmp_path, [f"Ti_{code}" for code in INPUTS], systems=["E-O"])
    run(tmp_path, "inputs")
    assert len(server.systems_asked()) == 1, "six subsets of one element, one query"
    sites = pd.read_parquet(tmp_path / "results/structures/Ti_FEFF_sites.parquet")
    assert sites["material_id"].tolist() == ["mp-390"] and sites["core_hours"].notna().all()
    for code, files in INPUTS.items():
        with zipfile.ZipFile(tmp_path / f"results/inputs/Ti_{code}/0000.zip") as packed:
            assert {f"Ti/mp-390/{file}" for file in ["POSCAR", *files]} <= set(packed.namelist()), code


def test_an_element_is_asked_once_and_a_refresh_tells_what_changed(server, tmp_path):
    configure(tmp_path)
    server.faults = [status(429, retry_after="1")]
    run(tmp_path, "structures")
    assert materials(tmp_path, "Cu_FEFF8L") == ["mp-1692", "mp-21", "mp-361"]
    assert materials(tmp_path, "Ti_FEFF8L") == ["mp-390", "mp-391"]
    assert len(server.systems_asked()) == 8
    asked = server.asked
    assert nothing_to_do(tmp_path)

    first = {element: manifest(tmp_path, element) for element in ("Cu", "Ti")}
    server.version = "2027.01.01"
    server.documents = [d for d in server.documents if d["material_id"] != "mp-1692"]
    server.documents.append(document("mp-60", cuprite(a=4.5)))
    assert nothing_to_do(tmp_path)
    assert server.asked == asked
    printed = refresh(tmp_path)
    assert "1 added (mp-60), 1 withdrawn (mp-1692)" in printed
    assert "Ti: since" in printed and "nothing changed" in printed
    second = manifest(tmp_path, "Cu")
    assert second["changes"]["since"] == first["Cu"]["asked"] and second["database_version"] == "2027.01.01"
    assert materials(tmp_path, "Cu_FEFF8L") == ["mp-21", "mp-361", "mp-60"]

    asked = server.asked
    assert nothing_to_do(tmp_path)
    assert server.asked == asked

    # What a file says, whoever wrote it, never holds the key.
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path


def test_a_refresh_that_fails_leaves_all_as_it_was(server, tmp_path, monkeypatch):
    configure(tmp_path, ["Cu_FEFF8L"])
    run(tmp_path, "structures")
    before = {path: path.read_bytes() for path in (tmp_path / ANSWERS).iterdir() if path.is_file()}
    assert len(before) == 2
    monkeypatch.delenv("MP_API_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))  # where pymatgen's settings may hold a key
    printed = run(tmp_path, "structures", "--config", "structures={refresh: true}", good=False)
    assert "there is no API key for it" in printed and "Traceback" not in printed
    assert {path: path.read_bytes() for path in before} == before
    asked = server.asked
    run(tmp_path, "structures")
    assert server.asked == asked


def test_a_list_of_ids_is_asked_again_only_when_it_changes(server, tmp_path):
    (tmp_path / "cu.txt").write_text("mp-9361_000\nmp-404\n")
    configure(tmp_path, ids={"Cu": "cu.txt", "Ti": ["mp-390"]})
    run(tmp_path, "structures")
    assert materials(tmp_path, "Cu_FEFF8L") == ["mp-361"] and materials(tmp_path, "Ti_FEFF8L") == ["mp-390"]
    assert manifest(tmp_path, "Cu")["moved"] == {"mp-9361": "mp-361"}
    rejected = pd.read_parquet(tmp_path / "results/structures/Cu_FEFF8L_rejected.parquet")
    assert list(rejected["material_id"]) == ["mp-404"] and list(rejected["reason"]) == ["not_found"]
    assert nothing_to_do(tmp_path)
    (tmp_path / "cu.txt").write_text("mp-9361_000\nmp-21_000\n")
    server.questions.clear()
    run(tmp_path, "structures")
    assert materials(tmp_path, "Cu_FEFF8L") == ["mp-21", "mp-361"]
    assert all("mp-390" not in page for page in server.structures_asked())
    assert nothing_to_do(tmp_path)


def test_a_list_that_is_missing_and_an_element_without_subset_are_told_before_anything_is_planned(server, tmp_path):
    configure(tmp_path, ids={"Cu": "cu.txt", "Ti": ["mp-390"]})
    printed = run(tmp_path, "structures", "--dry-run", good=False)
    assert "cu.txt, which does not exist" in printed and "Traceback" not in printed
    configure(tmp_path)
    printed = run(tmp_path, str(ANSWERS / "Zn.parquet"), "--dry-run", good=False)
    assert "Zn.parquet" in printed and "Traceback" not in printed
    assert server.asked == 0
