"""Import: each site of an archive is found, with its structure and multiplicity, or told why not."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import feff_runs
import numpy as np
import pytest
from feff_runs import archive_files, cuprite, files_of, layered, perovskite, poscar, rocksalt, rutile, write_run
from pack_archives import pack, tar_bytes, tar_info
from pymatgen.core import Lattice, Structure
from site_tables import SiteTables

from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import chunk_of
from xanesflow.simulations.check_runs import check_folders
from xanesflow.simulations.import_archive import import_archive
from xanesflow.structures.material import BadStructure
from xanesflow.structures.poscar import read_poscar


class Imported(SiteTables):
    """What an import wrote."""

    def __init__(self, archive: Path, folder: Path, *, subset: str = "Cu_FEFF", chunks: int = 3, **options):
        super().__init__(folder)
        self.chunks = [folder / "runs" / f"{k:04d}.zip" for k in range(chunks)]
        import_archive(archive, subset=subset, chunks=self.chunks, **self.paths, **options)


@pytest.fixture
def runs(tmp_path):
    """An archive of one good material, as a folder to which a test adds what it is about."""
    return write_run(tmp_path / "runs", "mp-1", rocksalt(), 0).parents[3]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The archive that the tests write, imported."""
    folder = tmp_path_factory.mktemp("whole")
    ids = feff_runs.write_archive(folder / "runs")
    return folder, ids, Imported(folder / "runs", folder / "out", chunks=5)


def test_every_site_is_found_and_nothing_else(whole):
    _, ids, imported = whole
    assert [f"{material}_{site:03d}" for material, site in imported.ids] == ids
    assert imported.rejected == []


def test_a_structure_comes_through_as_it_was_written(whole):
    _, _, imported = whole
    written = feff_runs.materials()
    stored = dict(imported.structures[["material_id", "structure"]].itertuples(index=False))
    assert stored.keys() == written.keys()
    for material, structure in written.items():
        read = Structure.from_dict(json.loads(stored[material]))
        assert [s.specie.symbol for s in read] == [s.specie.symbol for s in structure]
        assert np.abs(read.distance_matrix - structure.distance_matrix).max() < 1e-6


def test_a_runs_files_come_through_byte_for_byte_into_the_chunk_of_its_material(whole):
    _, _, imported = whole
    files, seen = archive_files(), 0
    for number, path in enumerate(imported.chunks):
        for run in read_chunk(path, "FEFF"):
            assert chunk_of(run.material_id, 5) == number
            folder = f"Cu/{run.material_id}/FEFF-XANES/{run.site_index:03d}_Cu"
            assert dict(run.files) == {name: files[f"{folder}/{name}"] for name in ("feff.inp", "feff.out", "xmu.dat")}
            seen += 1
    assert seen == 54
    assert imported.sites["chunk"].tolist() == [chunk_of(m, 5) for m in imported.sites["material_id"]]


def test_a_chunk_keeps_lightshows_tree_and_a_record_beside_each_run(whole):
    _, _, imported = whole
    with zipfile.ZipFile(imported.chunks[chunk_of("mp-900029", 5)]) as packed:
        folder = "Cu/mp-900029/FEFF-XANES/002_Cu"
        assert packed.read("Cu/mp-900029/POSCAR") == archive_files()["Cu/mp-900029/POSCAR"]
        record = json.loads(packed.read(f"{folder}/run.json"))
        assert {info.date_time for info in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}  # no clock in the bytes
    xmu = archive_files()[f"{folder}/xmu.dat"]
    assert record["code"] == "imported" and record["source"] == folder and record["problems"] == []
    assert record["files"]["xmu.dat"] == {"bytes": len(xmu), "sha256": hashlib.sha256(xmu).hexdigest()}


@pytest.mark.parametrize("again", ["tar.xz", "zip", "folder"])
def test_the_same_archive_gives_the_same_bytes_with_any_number_of_workers(whole, tmp_path, again):
    folder, _, imported = whole
    files = dict(sorted(archive_files().items(), key=lambda item: item[0].count("/")))  # all POSCARs first
    path = folder / "runs" if again == "folder" else pack(again, tmp_path / "again", files)
    second = Imported(path, tmp_path / "out", chunks=5, workers=2 if again == "folder" else 1)
    for one, other in zip(imported.paths.values(), second.paths.values(), strict=True):
        assert one.read_bytes() == other.read_bytes()
    if again == "folder":
        assert [p.read_bytes() for p in imported.chunks] == [p.read_bytes() for p in second.chunks]


def test_the_symmetry_tolerance_decides_what_counts_as_equivalent():
    structure = perovskite() * (2, 1, 1)
    structure.translate_sites([4], [0.004, 0, 0])  # 0.03 Å
    text = poscar(structure).encode()
    assert read_poscar("m", text, symprec=0.1).multiplicity(2) == 2
    assert read_poscar("m", text, symprec=0.001).multiplicity(2) == 1


@pytest.mark.parametrize("text", [poscar(rocksalt()).encode()[:120], bytes(range(256)) * 4], ids=["cut", "binary"])
def test_a_poscar_that_cannot_be_read_is_told_and_stops_no_other_material(runs, tmp_path, text):
    bad = read_poscar("mp-2", text, symprec=0.01)
    assert isinstance(bad, BadStructure)
    assert bad.detail.startswith(("POSCAR", "the structure")) and "\n" not in bad.detail and len(bad.detail) < 250
    write_run(runs, "mp-2", rocksalt(), 0)
    (runs / "Cu" / "mp-2" / "POSCAR").write_bytes(text)
    imported = Imported(runs, tmp_path / "out")
    assert imported.ids == [("mp-1", 0)]
    assert imported.reasons == {("mp-2", 0): "no_structure"}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_title_of_a_poscar_may_be_in_any_encoding(runs, tmp_path, encoding):
    path = runs / "Cu/mp-1/POSCAR"
    title, rest = "Cu2O, Müller".encode(encoding), path.read_bytes().partition(b"\n")[2]
    path.write_bytes(title + b"\n" + rest)
    assert Imported(runs, tmp_path / "out").ids == [("mp-1", 0)]
    assert [verdict.reason for verdict in check_folders([runs])] == [""]


def test_a_structure_whose_symmetry_is_not_found_counts_each_atom_for_itself():
    """Two atoms at one place, which spglib refuses."""
    twice = Structure(Lattice.cubic(4), ["Cu", "Cu"], [[0, 0, 0], [0, 0, 0]])
    material = read_poscar("m", poscar(twice).encode(), symprec=0.01)
    assert material.multiplicity(0) == 1 and material.note.startswith("symmetry not found")


def test_a_poscar_without_a_run_is_a_material_without_run(runs, tmp_path):
    feff_runs.write_files(runs / "Cu" / "mp-2", {"POSCAR": poscar(cuprite())})
    feff_runs.write_files(runs / "Cu" / "mp-3", {"POSCAR": "broken"})
    feff_runs.write_files(runs / "Ti" / "mp-4", {"POSCAR": poscar(rutile("Ti"))})
    imported = Imported(runs, tmp_path / "out")
    assert imported.reasons == {("mp-2", -1): "no_run", ("mp-3", -1): "no_structure"}
    assert imported.ids == [("mp-1", 0)]


def test_a_run_without_poscar_has_no_structure(runs, tmp_path):
    (write_run(runs, "mp-2", cuprite(), 0).parents[1] / "POSCAR").unlink()
    imported = Imported(runs, tmp_path / "out")
    assert imported.reasons == {("mp-2", 0): "no_structure"}
    assert "no POSCAR next to" in imported.rejected[0].detail


@pytest.mark.parametrize(("site", "said"), [(2, "2 atoms"), (999, "2 atoms"), (1, "is O, not Cu")])
def test_an_absorber_that_the_structure_does_not_have_there_is_told(runs, tmp_path, site, said):
    write_run(runs, "mp-2", rocksalt(), 0).rename(runs / "Cu" / "mp-2" / "FEFF-XANES" / f"{site:03d}_Cu")
    imported = Imported(runs, tmp_path / "out")
    assert imported.reasons == {("mp-2", site): "wrong_absorber"}
    assert said in imported.rejected[0].detail


def test_a_run_of_another_element_is_left_to_that_elements_subset(runs, tmp_path):
    structure = Structure.from_sites([*layered("Cu", "Sr")][:3] + [*layered("Ni", "Sr")][3:])
    write_run(runs, "mp-2", structure, 2)
    write_run(runs, "mp-2", structure, 3, element="Ni")
    assert Imported(runs, tmp_path / "cu").ids == [("mp-1", 0), ("mp-2", 2)]
    assert Imported(runs, tmp_path / "ni", subset="Ni_FEFF").ids == [("mp-2", 3)]


@pytest.mark.parametrize("above", ["Fe", "O", "VASP/Cu", "all/OCEAN/Cu"])
def test_a_run_takes_the_poscar_of_its_material_below_any_folder(tmp_path, above):
    run = files_of("mp-1", rocksalt(), 0)
    files = {f"{above}/{name.removeprefix('Cu/')}": content for name, content in run.items()}
    imported = Imported(pack("zip", tmp_path / "runs.zip", files), tmp_path / "out")
    assert imported.ids == [("mp-1", 0)] and imported.rejected == []


@pytest.mark.parametrize("other", ["the same", "not the same"])
def test_a_second_folder_of_a_site_is_a_duplicate(runs, tmp_path, other):
    first = runs / "Cu" / "mp-1" / "FEFF-XANES" / "000_Cu"
    files = {path.name: path.read_bytes() for path in first.iterdir()}
    if other == "not the same":
        files["xmu.dat"] += b"\n"
    feff_runs.write_files(first.with_name("0_Cu"), files)  # stands after 000_Cu, as "_" comes after "0"
    imported = Imported(runs, tmp_path / "out")
    assert imported.ids == [("mp-1", 0)]
    assert imported.reasons == {("mp-1", 0): "duplicate"}
    assert f"/0_Cu is a second run next to Cu/mp-1/FEFF-XANES/000_Cu, {other} spectrum" in imported.rejected[0].detail
    (run,) = [run for path in imported.chunks for run in read_chunk(path, "FEFF")]
    assert run.files["xmu.dat"] == (first / "xmu.dat").read_bytes()


def test_of_two_folders_of_a_material_the_first_counts_whole(tmp_path):
    """Runs of the second one may number the atoms of another structure."""
    pack("folder", tmp_path / "runs" / "a", files_of("mp-1", layered(), 2))
    pack("folder", tmp_path / "runs" / "b", files_of("mp-1", layered(a=4.0), 2, 3))
    imported = Imported(tmp_path / "runs", tmp_path / "out")
    assert imported.ids == [("mp-1", 2)]
    assert imported.reasons == {("mp-1", 2): "duplicate", ("mp-1", 3): "other_structure"}
    assert all("a/Cu/mp-1" in r.detail and "b/Cu/mp-1" in r.detail for r in imported.rejected)
    assert "not the same spectrum" in imported.rejected[0].detail


def test_runs_of_a_material_in_two_places_with_one_structure_belong_together(tmp_path):
    pack("folder", tmp_path / "runs" / "a", files_of("mp-1", layered(), 2))
    pack("folder", tmp_path / "runs" / "b", files_of("mp-1", layered(), 3))
    imported = Imported(tmp_path / "runs", tmp_path / "out")
    assert imported.ids == [("mp-1", 2), ("mp-1", 3)] and imported.rejected == []


def test_two_runs_of_a_site_are_never_mixed(tmp_path):
    """The first one without a spectrum does not get that of the second, which counts with its own files."""
    files = files_of("mp-1", rocksalt(), 0)
    first = {name: content for name, content in files.items() if not name.endswith("xmu.dat")}
    second = {name.replace("000_Cu", "0_Cu"): content + b"\n" for name, content in files.items() if "XANES" in name}
    imported = Imported(pack("zip", tmp_path / "runs.zip", {**first, **second}), tmp_path / "out")
    (run,) = [run for path in imported.chunks for run in read_chunk(path, "FEFF")]
    assert run.files == {name.rpartition("/")[2]: content for name, content in second.items()}
    assert imported.reasons == {("mp-1", 0): "duplicate"}
    assert "/000_Cu is a second run next to Cu/mp-1/FEFF-XANES/0_Cu" in imported.rejected[0].detail


def test_of_two_runs_without_a_spectrum_the_first_counts(tmp_path):
    files = {name: content for name, content in files_of("mp-1", rocksalt(), 0).items() if not name.endswith("xmu.dat")}
    second = {name.replace("000_Cu", "0_Cu"): content + b"\n" for name, content in files.items() if "XANES" in name}
    imported = Imported(pack("zip", tmp_path / "runs.zip", {**files, **second}), tmp_path / "out")
    (run,) = [run for path in imported.chunks for run in read_chunk(path, "FEFF")]
    assert run.files == {name.rpartition("/")[2]: content for name, content in files.items() if "XANES" in name}


@pytest.mark.parametrize("left", ["the folder", "another file"])
def test_a_run_folder_without_any_of_its_files_is_a_run_without_output(runs, tmp_path, left):
    folder = runs / "Cu" / "mp-2" / "FEFF-XANES" / "000_Cu"
    feff_runs.write_files(runs / "Cu" / "mp-2", {"POSCAR": poscar(rocksalt())})
    folder.mkdir(parents=True)
    if left == "another file":
        (folder / "slurm.out").write_text("killed")
    imported = Imported(runs, tmp_path / "out")
    assert imported.ids == [("mp-1", 0), ("mp-2", 0)]
    assert imported.rejected == []  # curation tells that it has no output


@pytest.mark.parametrize(("lost", "counts", "other"), [("feff.out", 0, 1), ("xmu.dat", 1, 0)])
def test_of_the_runs_of_equivalent_atoms_the_lowest_site_with_a_spectrum_counts(tmp_path, lost, counts, other):
    files = files_of("mp-1", rocksalt() * (2, 1, 1), 0, 1)
    del files[f"Cu/mp-1/FEFF-XANES/000_Cu/{lost}"]
    imported = Imported(pack("zip", tmp_path / "runs.zip", files), tmp_path / "out")
    assert imported.ids == [("mp-1", counts)] and imported.sites["multiplicity"].tolist() == [2]
    assert [(r.site_index, r.detail) for r in imported.rejected] == [
        (other, f"it is equivalent to site {counts}, whose run counts")
    ]


def test_a_member_that_stands_twice_in_a_tar_is_a_duplicate(tmp_path):
    members = [(tar_info(name), content) for name, content in files_of("mp-1", rocksalt(), 0).items()]
    name = "Cu/mp-1/FEFF-XANES/000_Cu/xmu.dat"
    (tmp_path / "runs.tar").write_bytes(tar_bytes([*members, (tar_info(name), b"later")]))
    imported = Imported(tmp_path / "runs.tar", tmp_path / "out")
    assert imported.ids == [("mp-1", 0)]
    assert "appears in the archive twice, not the same spectrum" in imported.rejected[0].detail


@pytest.mark.parametrize(
    ("files", "said"),
    [({"readme": b"x"}, "found 0 POSCAR"), ({"Cu/mp-1/POSCAR": b"x"}, "found 1 POSCAR"),
     (files_of("mp-1", rutile("Ti"), 0, element="Ti"), "holds no FEFF run of Cu")],
)  # fmt: skip
def test_an_archive_without_a_run_of_the_subset_is_told_and_leaves_nothing(tmp_path, files, said):
    path = pack("zip", tmp_path / "runs.zip", files)
    with pytest.raises(XanesflowError, match=rf"runs\.zip holds no FEFF run of Cu.*{said}|{said}"):
        Imported(path, tmp_path / "out")
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


def test_an_import_that_fails_midway_leaves_nothing_of_its_own_and_the_old_files(tmp_path):
    whole = pack("tar.xz", tmp_path / "runs.tar.xz", archive_files()).read_bytes()
    first = Imported(tmp_path / "runs.tar.xz", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    (tmp_path / "runs.tar.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(XanesflowError, match=r"runs\.tar\.xz is damaged or incomplete"):
        Imported(tmp_path / "runs.tar.xz", tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert len(first.ids) == 54


def test_runs_of_a_code_that_is_not_read_are_refused_with_what_to_do(runs, tmp_path):
    said = r"Cu_FEFF8L: .* imports runs of FEFF, VASP, OCEAN, EXCITING, XSPECTRA and FDMNES only; take Cu_FEFF8L out"
    with pytest.raises(XanesflowError, match=said):
        Imported(runs, tmp_path / "out", subset="Cu_FEFF8L")


def test_an_archive_without_the_runs_of_a_theory_is_told_with_where_they_were_looked_for(runs, tmp_path):
    (runs / "Cu/mp-1/VASP/SCF").mkdir(parents=True)
    (runs / "Cu/mp-1/VASP/SCF/OUTCAR").write_text("a ground state alone")
    with pytest.raises(XanesflowError, match=r"no VASP run of Cu: .*/VASP/<site>_Cu/OUTCAR and found 1 POSCAR"):
        Imported(runs, tmp_path / "out", subset="Cu_VASP")


def test_more_chunks_than_files_may_be_open_are_written_or_told(tmp_path):
    """The limit is 1024 on most systems, and a user may only lower its upper bound."""
    code = """
import resource, sys
from pathlib import Path
from xanesflow.core.errors import XanesflowError
from xanesflow.codes.run_zip import ChunkWriter
paths = [Path(sys.argv[1], f"{k}.zip") for k in range(200)]
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 400))
with ChunkWriter(paths) as writer:
    writer.add(199, "x", b"content")
print(paths[199].exists())
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
try:
    ChunkWriter(paths).__enter__()
except XanesflowError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    written, told = done.stdout.splitlines()
    assert written == "True"
    assert told == "`chunks` needs 264 files open at once, but this system allows 100; set fewer chunks."
