"""`xanesflow unpack`: plain folders, nothing overwritten, nothing outside them."""

import json
import zipfile

import pytest
from command_line import call, sentence

from xanesflow.core.errors import XanesflowError
from xanesflow.inputs.unpack import unpack


def packed(path, **files):
    """A zip; `__` in a name stands for `/`."""
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in files.items():
            opened.writestr(name.replace("__", "/"), content)
    return path


def files(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_chunks_are_laid_out_as_folders(tmp_path):
    one = packed(tmp_path / "a.zip", Ti__a__POSCAR="p", Ti__a__feff="f")
    two = packed(tmp_path / "b.zip", Ti__a__POSCAR="p", Ti__b__feff="g")
    assert unpack([one, two], tmp_path / "out") == (3, 0)
    assert files(tmp_path / "out") == {"Ti/a/POSCAR": "p", "Ti/a/feff": "f", "Ti/b/feff": "g"}
    assert unpack([one, two], tmp_path / "out") == (0, 4)


def test_a_file_that_differs_is_not_overwritten_and_nothing_else_is_written(tmp_path):
    path = packed(tmp_path / "a.zip", Ti__a="1", Ti__b="2")
    (tmp_path / "out/Ti").mkdir(parents=True)
    (tmp_path / "out/Ti/b").write_text("mine")
    with pytest.raises(XanesflowError, match=r"out/Ti/b is there already and differs; nothing was unpacked"):
        unpack([path], tmp_path / "out")
    assert files(tmp_path / "out") == {"Ti/b": "mine"}


def test_two_chunks_that_disagree_are_told(tmp_path):
    paths = [packed(tmp_path / f"{name}.zip", Ti__a=name) for name in "ab"]
    with pytest.raises(XanesflowError, match=r"a\.zip and .*b\.zip hold different files Ti/a"):
        unpack(paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "Ti/../../evil", "/tmp/evil", "C:/evil", "Ti\\..\\evil", "Ti//evil", "./evil", "Ti/e\nvil"]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    path = packed(tmp_path / "a.zip", Ti__good="x", **{name: "x"})
    with pytest.raises(XanesflowError, match="which would lie elsewhere; it is not unpacked"):
        unpack([path], tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "evil").exists()


def test_a_link_in_a_zip_or_below_the_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        info = zipfile.ZipInfo("Ti/link")
        info.external_attr = 0o120777 << 16
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(XanesflowError, match="is a link or larger than any input"):
        unpack([tmp_path / "a.zip"], tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/Ti").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(XanesflowError, match="is a link or lies behind one"):
        unpack([packed(tmp_path / "b.zip", Ti__a="1")], tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_file_where_a_folder_belongs_is_told(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/Ti").write_text("")
    with pytest.raises(XanesflowError, match="is a file where a folder belongs"):
        unpack([packed(tmp_path / "a.zip", Ti__a="1")], tmp_path / "out")


def test_no_zip_half_a_zip_and_a_damaged_one_are_told_in_a_sentence(tmp_path):
    good = packed(tmp_path / "a.zip", Ti__a="1" * 10_000).read_bytes()
    (tmp_path / "half.zip").write_bytes(good[:5000])
    (tmp_path / "damaged.zip").write_bytes(good.replace(b"1" * 10, b"2" * 10, 1))
    for name, said in (
        ("none", "does not exist"),
        ("half", "cannot be read as a zip"),
        ("damaged", "is damaged at Ti/a"),
    ):
        with pytest.raises(XanesflowError, match=said):
            unpack([tmp_path / f"{name}.zip"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def vasp(tmp_path, recorded=None):
    manifest = {"settings": {"potcar_functional": "PBE_54"}, "potcars": {"Ti_sv_GW": recorded or {}, "O_GW": {}}}
    return packed(
        tmp_path / "v.zip", **{"Ti__a__VASP__SCF__POTCAR.spec": "Ti_sv_GW\nO_GW\n",
                               "manifests__Ti_VASP_0000.json": json.dumps(manifest)}
    )  # fmt: skip


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "library/POT_GGA_PAW_PBE_54"
    folder.mkdir(parents=True)
    (folder / "POTCAR.Ti_sv_GW").write_text("titanium\n")
    (folder / "POTCAR.O_GW").write_text("oxygen\n")
    monkeypatch.setattr("pymatgen.core.SETTINGS", {"PMG_VASP_PSP_DIR": str(tmp_path / "library")})
    return folder


def test_potcars_are_put_together_in_the_order_of_poscar(tmp_path, library):
    path = vasp(tmp_path)
    assert unpack([path], tmp_path / "without") == (2, 0)
    assert not (tmp_path / "without/Ti/a/VASP/SCF/POTCAR").exists()
    assert unpack([path], tmp_path / "out", potcar=True) == (3, 0)
    assert (tmp_path / "out/Ti/a/VASP/SCF/POTCAR").read_text() == "titanium\noxygen\n"
    assert unpack([path], tmp_path / "out", potcar=True) == (0, 3)


def test_a_library_that_lacks_one_or_holds_another_is_told_before_anything_is_written(tmp_path, library):
    with pytest.raises(XanesflowError, match="POTCAR Ti_sv_GW of your library differs from the one"):
        unpack([vasp(tmp_path, {"titel": "PAW_PBE Ti", "sha256": "0"})], tmp_path / "out", potcar=True)
    (library / "POTCAR.O_GW").unlink()
    with pytest.raises(XanesflowError, match="holds no O_GW of PBE_54; add it"):
        unpack([vasp(tmp_path)], tmp_path / "out", potcar=True)
    assert not (tmp_path / "out").exists()


def test_without_a_library_potcar_is_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("pymatgen.core.SETTINGS", {})
    said = sentence("unpack", vasp(tmp_path), "--out", tmp_path / "out", "--potcar", code=1)
    assert "set PMG_VASP_PSP_DIR to its folder" in said


def test_the_command_says_what_it_did(tmp_path):
    code, said, _ = call("unpack", packed(tmp_path / "a.zip", Ti__a="1"), "--out", tmp_path / "out")
    assert code == 0 and said.startswith("1 file written to ")
    assert "does not exist" in sentence("unpack", tmp_path / "no.zip", "--out", tmp_path / "out", code=1)
