"""A user's folder: every structure file is read under its id, or told in one sentence why not."""

import logging
import os
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from feff_runs import cuprite, perovskite, poscar, rocksalt, rutile, write_files
from processes import forked_pool
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from sentences import tells
from structure_files import GOOD, as_json, assert_one_sentence, formulas, good_and_bad, read, with_symmetry

from xanesflow.core.errors import XanesflowError
from xanesflow.structures.folder import read_directory
from xanesflow.structures.list_files import directory_state
from xanesflow.structures.material import BadStructure


def test_every_promised_name_is_a_material_of_the_id_in_it(tmp_path):
    files = {
        "a/POSCAR": poscar(rocksalt()), "b/CONTCAR": poscar(rutile()), "c/any name.cif": with_symmetry(cuprite()),
        "d/x.json": as_json(perovskite()), "e.cif": with_symmetry(rutile()), "f.json": as_json(rocksalt()),
        "g.vasp": poscar(cuprite()), "h.poscar": poscar(perovskite()), "POSCAR_i": poscar(rocksalt("Ni")),
        "POSCAR.j": poscar(rutile("Ti")), "K.CIF": with_symmetry(cuprite("Ag")), "mp-2": GOOD,
        "POSCAR_mp-1.5_b+": GOOD,
    }  # fmt: skip
    write_files(tmp_path, files)
    assert formulas(read(tmp_path)) == {
        "a": "CuO", "b": "CuO2", "c": "Cu2O", "d": "SrCuO3", "e": "CuO2", "f": "CuO", "g": "Cu2O", "h": "SrCuO3",
        "i": "NiO", "j": "TiO2", "K": "Ag2O", "mp-1.5_b+": "CuO",
    }  # fmt: skip


def test_in_a_materials_folder_poscar_goes_before_contcar_and_both_before_others(tmp_path):
    write_files(tmp_path, {"a/POSCAR": poscar(rutile()), "a/CONTCAR": GOOD, "a/a.cif": "x", "b/CONTCAR": GOOD,
                           "b/b.json": "x"})  # fmt: skip
    assert formulas(read(tmp_path)) == {"a": "CuO2", "b": "CuO"}


def test_a_folder_with_two_structure_files_and_no_poscar_is_no_material(tmp_path):
    write_files(tmp_path, {"a/1.cif": with_symmetry(rutile()), "a/2.json": as_json(rutile()), "b/POSCAR": GOOD})
    found = read(tmp_path)
    assert good_and_bad(found) == (["b"], {"a": "duplicate_id"})
    assert "2 structure files (1.cif, 2.json)" in found["a"].detail


def test_deeper_folders_and_other_files_are_counted_and_named_in_the_log(tmp_path, caplog):
    write_files(tmp_path, {"a/POSCAR": GOOD, "a/INCAR": "", "notes.txt": "", "b/c/POSCAR": GOOD, "e.cif.zip": ""})
    (tmp_path / "empty").mkdir()
    with caplog.at_level(logging.INFO):
        assert good_and_bad(read(tmp_path)) == (["a"], {})
    assert "structure files: 1, not read: 4 (a/INCAR, e.cif.zip, empty/, ...)" in caplog.text
    assert "deeper folders, not looked into: 1 (b/c)" in caplog.text


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_gives_the_same_in_the_same_order(tmp_path, workers):
    for k in range(40):
        write_files(tmp_path, {f"m{k}.vasp": "broken" if k % 7 == 0 else poscar(rutile(a=4.5 + k / 100))})
    one = read_directory(tmp_path, symprec=0.01)
    assert len(one) == 40
    assert read_directory(tmp_path, symprec=0.01, workers=workers) == one


@pytest.mark.parametrize("name", ["a b.cif", "α.cif", "POSCAR_a#b", "_a.vasp", "a_.vasp", ".a.cif", "-a.json", ".cif",
                                  "a\nb.cif", "a(1)/POSCAR", ".a/POSCAR", "a" * 151 + ".cif"])  # fmt: skip
def test_an_id_that_cannot_name_files_is_told(tmp_path, name):
    write_files(tmp_path, {name: GOOD, "good.vasp": GOOD})
    good, bad = good_and_bad(found := read(tmp_path))
    assert good == ["good"] and list(bad.values()) == ["no_structure"]
    (unusable,) = (each for each in found.values() if isinstance(each, BadStructure))
    assert "id that cannot name a material" in unusable.detail and unusable.material_id.isprintable()
    assert_one_sentence(unusable)


def test_a_name_that_is_not_utf8_is_told(tmp_path):
    write_files(tmp_path, {"good.vasp": GOOD})
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.cif")).write_text(GOOD)
    assert good_and_bad(read(tmp_path)) == (["good"], {"a\ufffd": "no_structure"})


def test_a_poscar_of_the_folder_itself_has_no_id(tmp_path):
    write_files(tmp_path, {"POSCAR": GOOD})
    assert "POSCAR has no id; call it POSCAR_<id>" in read(tmp_path)["POSCAR"].detail


def test_two_files_of_one_id_with_the_same_structure_are_one_material(tmp_path):
    write_files(
        tmp_path, {"foo.cif": str(CifWriter(rutile())), "foo/POSCAR": poscar(rutile()), "foo.json": as_json(rutile())}
    )
    assert formulas(read(tmp_path)) == {"foo": "CuO2"}


@pytest.mark.parametrize("other", ["order", "element", "place", "angle", "number"])
def test_structures_are_the_same_only_with_the_same_atoms_in_the_same_order(tmp_path, other):
    """As a site is an index into the structure."""
    changed = rutile()
    if other == "order":
        changed = Structure.from_sites([changed[k] for k in (1, 2, 0, 3, 4, 5)])
    elif other == "element":
        changed.replace(0, "Ni")
    elif other == "place":
        changed.translate_sites([3], [0.001, 0, 0])  # 0.005 Å
    elif other == "angle":
        changed = Structure(
            Lattice.from_parameters(*changed.lattice.abc, 90, 90, 90.1), changed.species, changed.frac_coords
        )
    else:
        changed.append("H", [0.5, 0, 0])
    write_files(tmp_path, {"foo.vasp": poscar(changed), "foo.json": as_json(rutile()), "b.vasp": GOOD})
    found = read(tmp_path)
    assert good_and_bad(found) == (["b"], {"foo": "duplicate_id"})
    different = "different structures", "one crystal with its atoms or its cell in another order"
    assert f"hold {different[other not in ('element', 'number')]}" in found["foo"].detail
    assert_one_sentence(found["foo"])


def test_a_file_that_cannot_be_read_beside_a_good_one_of_its_id_leaves_both_out(tmp_path):
    write_files(tmp_path, {"foo.cif": "broken", "foo.vasp": GOOD, "bar.vasp": GOOD, "bar/1.cif": "", "bar/2.cif": ""})
    found = read(tmp_path)
    assert good_and_bad(found) == ([], {"foo": "duplicate_id", "bar": "duplicate_id"})
    assert "not all readable" in found["foo"].detail
    assert "bar.vasp" in found["bar"].detail and "2 structure files" in found["bar"].detail
    assert_one_sentence(found["bar"])


def test_a_file_above_the_limit_is_not_read(tmp_path):
    write_files(tmp_path, {"good.vasp": GOOD})
    with (tmp_path / "a.cif").open("wb") as opened:
        opened.truncate(16 * 2**20 + 1)
    found = read(tmp_path)
    assert good_and_bad(found) == (["good"], {"a": "no_structure"})
    assert found["a"].detail == "a.cif has 16,777,217 bytes, and the limit is 16,777,216"


def read_with_its_state(folder):
    return read(folder), directory_state(folder)


def test_a_fifo_a_socket_and_a_device_do_not_hang_the_reader(tmp_path):
    write_files(tmp_path, {"good.vasp": GOOD, "c/x.txt": ""})
    os.mkfifo(tmp_path / "a.cif")
    os.mkfifo(tmp_path / "no-structure")
    os.mkfifo(tmp_path / "c" / "POSCAR")
    (tmp_path / "d.json").symlink_to("/dev/zero")
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/s")
        (tmp_path / "e.vasp").symlink_to(f"{short}/s")
        with forked_pool() as another:
            found, state = another.apply_async(read_with_its_state, (tmp_path,)).get(timeout=60)
    assert {key: getattr(each, "detail", "good") for key, each in found.items()} == {
        "a": "a.cif is not a plain file", "c": "c/POSCAR is not a plain file", "d": "d.json is not a plain file",
        "e": "e.vasp is not a plain file", "good": "good",
    } and state  # fmt: skip


def test_links_are_followed_and_those_in_circles_or_to_nowhere_are_told(tmp_path):
    folder, elsewhere = tmp_path / "in", tmp_path / "out"
    write_files(elsewhere, {"x/POSCAR": GOOD, "y.cif": with_symmetry(rutile())})
    write_files(folder, {"good.vasp": GOOD})
    (folder / "x").symlink_to(elsewhere / "x")
    (folder / "y.cif").symlink_to(elsewhere / "y.cif")
    (folder / "loop.cif").symlink_to(folder / "loop.cif")
    (folder / "gone.cif").symlink_to(elsewhere / "gone.cif")
    (folder / "round").symlink_to(folder / "round")
    (folder / "up").symlink_to(tmp_path)
    (folder / "here").symlink_to(folder)
    found = read(folder)
    assert good_and_bad(found) == (
        ["good", "x", "y"], dict.fromkeys(["gone", "here", "loop", "round", "up"], "no_structure"),
    )  # fmt: skip
    assert "levels of symbolic links" in found["loop"].detail and "No such file" in found["gone"].detail
    assert "leads nowhere" in found["round"].detail and "link back" in found["up"].detail


@contextmanager
def without_root():
    """As another user, whom permissions bind; the folder must lie where that user may look."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_files(folder, {"good.vasp": GOOD})
        read(folder)  # whatever is imported late is there now
        try:
            yield folder, (lambda: os.seteuid(65534)) if root else lambda: None
        finally:
            os.seteuid(os.getuid())
            for path in folder.iterdir():
                path.chmod(0o755)


def test_a_file_or_folder_without_permission_is_told(tmp_path):
    with without_root() as (folder, become_another):
        write_files(folder, {"a.cif": "x", "b/POSCAR": GOOD, "c/POSCAR": GOOD})
        (folder / "a.cif").chmod(0)
        (folder / "b").chmod(0)
        (folder / "c").chmod(0o744)  # its names can be listed, and no more
        become_another()
        found, state = read(folder), directory_state(folder)
        with pytest.raises(XanesflowError, match=r"structures\.directory is .*cannot be listed \(Permission denied\)"):
            read_directory(folder / "b", symprec=0.01)
    bad = ["a", "b", "c"] if os.getuid() == 0 else ["a", "b"]
    assert good_and_bad(found)[1] == dict.fromkeys(bad, "no_structure") and state
    assert "Permission denied" in found["a"].detail and "Permission denied" in found["b"].detail


@pytest.mark.parametrize(("made", "said"), [
    ("", "does not exist"), ("file", "is not a folder"), ("empty", "structure files: 0"),
    ("others", "not read: 2 (a.txt, b/INCAR)"),
])  # fmt: skip
def test_a_folder_without_any_structure_is_told_with_what_was_looked_for_and_where(tmp_path, monkeypatch, made, said):
    monkeypatch.chdir(tmp_path)
    if made == "file":
        write_files(tmp_path, {"in": "x"})
    elif made:
        write_files(tmp_path / "in", {"a.txt": "", "b/INCAR": ""} if made == "others" else {})
        (tmp_path / "in").mkdir(exist_ok=True)
    begin = r"^structures\.directory is in, which "
    with tells(said, "<id>/POSCAR, <id>.cif", f"looked from {tmp_path}", match=begin):
        read_directory(Path("in"), symprec=0.01)
    assert directory_state("in") == ""


def test_the_state_changes_with_the_structure_files_and_with_nothing_else(tmp_path):
    write_files(tmp_path / "in", {"a.cif": "x", "b/POSCAR": "x"})
    write_files(tmp_path, {"linked": "1"})
    (tmp_path / "in/c.cif").symlink_to(tmp_path / "linked")
    states = [directory_state(tmp_path / "in")]

    def changed() -> bool:
        states.append(directory_state(tmp_path / "in"))
        return states[-1] not in states[:-1]

    assert not changed()
    write_files(tmp_path / "in", {"notes.txt": "x", "b/OUTCAR": "x", "d/e/POSCAR": "x"})
    assert not changed()
    write_files(tmp_path / "in", {"e/POSCAR": "x"})
    assert changed()
    (tmp_path / "linked").write_text("12")
    assert changed()
    os.utime(tmp_path / "in/b/POSCAR", ns=(0, 10**18))
    assert changed()
    (tmp_path / "in/a.cif").rename(tmp_path / "in/z.cif")
    assert changed()
    (tmp_path / "in/z.cif").unlink()
    assert changed()
