"""A chunk's inputs: one zip, always the same bytes, whole or not there; a bad site leaves out itself alone."""

import hashlib
import json
import zipfile

import pytest
from input_structures import anatase_backwards, rutile
from processes import kill, start_python
from pymatgen.core import Lattice, Structure

from xanesflow.config.inputs import InputsSection
from xanesflow.core.errors import XanesflowError
from xanesflow.core.tables import read_rejected
from xanesflow.inputs.write_chunk import write_inputs
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures

ALONE = Structure(Lattice.cubic(15), ["Ti"], [[0, 0, 0]])


def tables(folder, more=()):
    """Structures and site table of rutile, anatase and `more` (name, structure, site)."""
    given = [("rutile", rutile(), 0), ("anatase", anatase_backwards(), 8), *more]
    described = {name: describe(name, structure, symprec=0.01) for name, structure, _ in given}
    write_structures(folder / "structures.parquet", described.values())
    write_site_table(folder / "sites.parquet", [(described[name], site) for name, _, site in given], chunks=1)


def write(folder, subset="Ti_FEFF", out="out", options=None, **kwargs):
    theory = subset.split("_")[1]
    paths = (folder / "structures.parquet", folder / "sites.parquet")
    outputs = (folder / out / "0000.zip", folder / out / "0000_rejected.parquet")
    write_inputs(
        *paths, *outputs, subset=subset, chunk=0, options=InputsSection().of(theory) | (options or {}), **kwargs
    )  # fmt: skip
    with zipfile.ZipFile(outputs[0]) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    return files, read_rejected(outputs[1])


def manifest(files, subset="Ti_FEFF"):
    return json.loads(files[f"manifests/{subset}_0000.json"])


def test_a_chunk_is_lightshows_tree_with_poscars_and_a_manifest(tmp_path):
    tables(tmp_path)
    files, rejected = write(tmp_path)
    assert list(files) == [
        "Ti/anatase/FEFF-XANES/008_Ti/feff.inp", "Ti/anatase/POSCAR",
        "Ti/rutile/FEFF-XANES/000_Ti/feff.inp", "Ti/rutile/POSCAR",
        "manifests/Ti_FEFF_0000.json",
    ]  # fmt: skip
    assert rejected == []
    told = manifest(files)
    assert told["input_sha256"].keys() == {"anatase_008", "rutile_000"}
    assert told["settings"]["radius"] == 9.0
    assert {"xanesflow", "lightshow", "pymatgen"} <= told["versions"].keys()
    again = Structure.from_str(files["Ti/anatase/POSCAR"].decode(), fmt="poscar")
    assert [site.specie.symbol for site in again] == 8 * ["O"] + 4 * ["Ti"]


def test_of_a_list_of_sites_the_inputs_of_these_alone_are_written(tmp_path):
    tables(tmp_path)
    plan = tmp_path / "plan.csv"
    plan.write_text("material_id,site_index\nrutile,0\n")
    files, rejected = write(tmp_path, only=plan)
    assert manifest(files)["input_sha256"].keys() == {"rutile_000"} and rejected == []
    plan.write_text("material_id,site_index\nrutile,1\n")
    with pytest.raises(XanesflowError, match="names rutile_001, which is no site of Ti_FEFF"):
        write(tmp_path, only=plan)


def test_the_same_chunk_has_the_same_bytes_with_one_process_or_two(tmp_path, monkeypatch):
    tables(tmp_path)
    write(tmp_path, out="one")
    monkeypatch.setattr("xanesflow.inputs.write_chunk._WORTH_PROCESSES", 1)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write(tmp_path, out="two", workers=2)
    one, two = ((tmp_path / out / "0000.zip").read_bytes() for out in ("one", "two"))
    assert one == two


def test_nothing_in_a_chunk_tells_where_or_when_it_was_made(tmp_path):
    tables(tmp_path)
    write(tmp_path)
    with zipfile.ZipFile(tmp_path / "out/0000.zip") as packed:
        for info in packed.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0) and info.external_attr >> 16 == 0o644
            assert str(tmp_path) not in packed.read(info).decode()


def test_the_hash_of_a_site_changes_with_its_input_and_with_no_other(tmp_path):
    tables(tmp_path)
    before = manifest(write(tmp_path)[0])["input_sha256"]
    same = manifest(write(tmp_path, options={"radius": 9.0})[0])["input_sha256"]
    after = manifest(write(tmp_path, options={"radius": 8.0})[0])["input_sha256"]
    assert before == same
    assert all(before[site] != after[site] for site in before)


def test_bad_sites_are_left_out_with_their_reasons_and_the_others_are_written(tmp_path):
    wrong = (
        ("alone", ALONE, 0),
        ("oxygen", rutile(), 2),
        ("zinc", Structure(Lattice.cubic(4), ["Zn"], [[0, 0, 0]]), 0),
    )
    tables(tmp_path, wrong)
    files, rejected = write(tmp_path)
    assert [(r.material_id, r.site_index, r.reason) for r in rejected] == [
        ("alone", 0, "isolated_atom"), ("oxygen", 2, "no_absorber"), ("zinc", 0, "no_absorber"),
    ]  # fmt: skip
    assert rejected[1].detail == "atom 2 of TiO2 is not Ti" and rejected[2].detail == "atom 0 of Zn is not Ti"
    assert manifest(files)["input_sha256"].keys() == {"anatase_008", "rutile_000"}
    assert not any("alone" in name or "zinc" in name for name in files)


def test_whatever_lightshow_stumbles_over_leaves_out_that_material_alone(tmp_path, monkeypatch):
    tables(tmp_path)
    from xanesflow.codes.feff import write_inputs as feff

    whole = feff.clusters_of

    def stumble(structure, sites, radius):
        if structure[0].specie.symbol == "O":
            raise RuntimeError("what is\nthis")
        return whole(structure, sites, radius)

    monkeypatch.setattr(feff, "clusters_of", stumble)
    files, rejected = write(tmp_path)
    assert [(r.material_id, r.reason) for r in rejected] == [("anatase", "cannot_simulate")]
    assert rejected[0].detail == "Lightshow could write no input: RuntimeError: what is this"
    assert "Ti/rutile/FEFF-XANES/000_Ti/feff.inp" in files


def test_a_full_disk_is_no_fault_of_a_material(tmp_path, monkeypatch):
    tables(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xanesflow.codes.feff.write_inputs.clusters_of", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path)
    assert not list((tmp_path / "out").iterdir())


def test_a_structure_that_is_missing_is_told(tmp_path):
    tables(tmp_path)
    write_structures(tmp_path / "structures.parquet", [describe("rutile", rutile(), symprec=0.01)])
    _, rejected = write(tmp_path)
    assert [(r.material_id, r.reason) for r in rejected] == [("anatase", "no_structure")]


def test_a_chunk_without_sites_is_a_manifest_alone(tmp_path):
    tables(tmp_path)
    write_site_table(tmp_path / "sites.parquet", [], chunks=1)
    files, rejected = write(tmp_path)
    assert list(files) == ["manifests/Ti_FEFF_0000.json"] and rejected == []


def test_moments_and_charges_of_a_source_do_not_matter(tmp_path):
    plain = rutile()
    rich = rutile()
    rich.add_site_property("magmom", [5.0] * 6)
    rich.add_oxidation_state_by_element({"Ti": 4, "O": -2})
    found = []
    for structure in (plain, rich):
        material = describe("x", structure, symprec=0.01)
        write_structures(tmp_path / "structures.parquet", [material])
        write_site_table(tmp_path / "sites.parquet", [(material, 0)], chunks=1)
        found.append(write(tmp_path, "Ti_VASP")[0])
    assert found[0] == found[1] and "Ti/x/VASP/SCF/INCAR" in found[0]


def test_an_element_that_is_not_configured_is_told_once(tmp_path):
    tables(tmp_path)
    with pytest.raises(XanesflowError, match=r"inputs\.vasp\.e_range has no entry for V; add how many eV"):
        write(tmp_path, "V_VASP")


def test_potcars_are_named_but_never_packed(tmp_path, monkeypatch, caplog):
    tables(tmp_path)
    monkeypatch.setattr("pymatgen.core.SETTINGS", {})
    files, _ = write(tmp_path, "Ti_VASP")
    assert "PMG_VASP_PSP_DIR" in caplog.text and "xanesflow unpack --potcar" in caplog.text
    assert manifest(files, "Ti_VASP")["potcars"] == {"O_GW": {}, "Ti_sv_GW": {}}
    library = tmp_path / "library/POT_GGA_PAW_PBE_54"
    secret = "  PAW_PBE Ti_sv_GW 05Dec2013\n   TITEL  = PAW_PBE Ti_sv_GW 05Dec2013\n secret numbers\n"
    (library / "Ti_sv_GW").mkdir(parents=True)
    (library / "Ti_sv_GW/POTCAR").write_text(secret)
    monkeypatch.setattr("pymatgen.core.SETTINGS", {"PMG_VASP_PSP_DIR": str(tmp_path / "library")})
    files, _ = write(tmp_path, "Ti_VASP")
    assert "Your library of POTCARs lacks O_GW of PBE_54; add them." in caplog.text
    assert manifest(files, "Ti_VASP")["potcars"] == {
        "O_GW": {},
        "Ti_sv_GW": {
            "titel": "PAW_PBE Ti_sv_GW 05Dec2013",
            "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        },
    }
    assert not any(name.endswith("POTCAR") or b"secret" in content for name, content in files.items())
    monkeypatch.setattr("pymatgen.core.SETTINGS", {"PMG_VASP_PSP_DIR": str(tmp_path / "nowhere")})
    with pytest.raises(XanesflowError, match=r"PMG_VASP_PSP_DIR is .*nowhere, which is no folder"):
        write(tmp_path, "Ti_VASP")


KILLED = """
import os, sys, zipfile
from pathlib import Path
from xanesflow.config.inputs import InputsSection
from xanesflow.inputs import write_chunk as module

add = module.add_file
def stop(packed, name, content):
    add(packed, name, content)
    if name.startswith("Ti/rutile"):
        print("half", flush=True)
        sys.stdin.read()
module.add_file = stop
folder = Path(sys.argv[1])
module.write_inputs(folder / "structures.parquet", folder / "sites.parquet", folder / "out/0000.zip",
    folder / "out/0000_rejected.parquet", subset="Ti_FEFF", chunk=0, options=InputsSection().of("FEFF"))
"""


def test_a_chunk_that_is_killed_half_way_leaves_nothing_at_its_name_and_the_next_call_makes_it(tmp_path):
    tables(tmp_path)
    job = start_python(KILLED, tmp_path)
    assert job.first_line == "half"
    assert not (tmp_path / "out/0000.zip").exists() and any((tmp_path / "out").iterdir())
    kill(job)
    assert not (tmp_path / "out/0000.zip").exists()
    files, _ = write(tmp_path)
    assert manifest(files)["input_sha256"].keys() == {"anatase_008", "rutile_000"}
