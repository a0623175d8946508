"""The archive reader: all forms give the same, damage is told, and nothing in an archive can do harm."""

import os
import tarfile
import zipfile
from itertools import product

import pytest
import zstandard
from pack_archives import COMPRESS, FORMS, PACKED, pack, patch_zip_directory, tar_bytes, tar_info, zip_with_link
from sentences import tells

from xanesflow.codes.archive import MEMBER_LIMIT, read_archive
from xanesflow.core.errors import XanesflowError

FILES = {
    "Cu/mp-1/FEFF-XANES/000_Cu/xmu.dat": bytes(range(1, 256)) * 40,
    "Cu/mp-1/POSCAR": b"one\n",
    "Cu/mp-10/POSCAR": b"",
    "Cu/mp-2/POSCAR": b"two " * 5000,
    "Cu/readme.txt": b"not wanted " * 1000,
}
WANTED = {name: content for name, content in FILES.items() if not name.endswith(".txt")}


def wanted(name):
    return name.endswith(("POSCAR", "xmu.dat"))


def read(path):
    return [(m.name, m.content, m.problem) for m in read_archive(path, wanted)]


def with_a_bit_flipped(path):
    """The file, changed at a third of its length."""
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(data)
    return path


def the_only_problem(path):
    members = read(path)
    problems = [(name, problem) for name, content, problem in members if problem]
    assert len(problems) == 1
    assert all(content == b"" for _, content, problem in members if problem)
    return problems[0][1]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_files_in_their_order(tmp_path, form):
    path = pack(form, tmp_path / f"runs.{form}", FILES)
    expected = [(name, content, "") for name, content in WANTED.items()]
    if form == "folder":  # a folder's own files come before those of its folders
        expected = [expected[1], expected[0], *expected[2:]]
    assert read(path) == expected


@pytest.mark.parametrize("form", PACKED)
def test_the_form_is_told_from_the_content_not_from_the_name(tmp_path, form):
    path = pack(form, tmp_path / ("runs.tar.xz" if form == "zip" else "runs.zip"), FILES)
    assert [name for name, _, _ in read(path)] == list(WANTED)


@pytest.mark.parametrize("form", ["tar.xz", "zip"])
def test_a_leading_dot_and_slash_is_no_part_of_a_name(tmp_path, form):
    path = pack(form, tmp_path / f"runs.{form}", {f"./{name}": content for name, content in FILES.items()})
    assert [name for name, _, _ in read(path)] == list(WANTED)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_formats_of_all_makers_are_read(tmp_path, form):
    long_name = f"{'x' * 90}/{'y' * 60}/POSCAR"
    (tmp_path / "POSCAR").write_bytes(b"one")
    with tarfile.open(tmp_path / "runs.tar", "w", format=form) as packed:
        packed.add(tmp_path / "POSCAR", long_name)
    assert read(tmp_path / "runs.tar") == [(long_name, b"one", "")]


def test_an_archive_that_is_not_there_is_told(tmp_path):
    with pytest.raises(XanesflowError, match=r"nowhere\.tar does not exist; set simulations\.archive"):
        read(tmp_path / "nowhere.tar")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("form", ["folder", "tar.gz"])
def test_an_archive_that_may_not_be_read_is_told(tmp_path, form):
    path = pack(form, tmp_path / "runs", FILES)
    path.chmod(0)
    with pytest.raises(XanesflowError, match="runs cannot be read: permission denied"):
        read(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"P", b"hello\n" * 200, bytes(2000), b"\x7fELF" + bytes(600), b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c"],
)
def test_a_file_that_is_no_archive_is_told_with_the_forms_that_are(tmp_path, content):
    path = tmp_path / "runs.tar"
    path.write_bytes(content)
    with pytest.raises(XanesflowError, match=r"runs\.tar is not an archive .*a folder, \.tar, .*\.tar\.xz.*\.zip"):
        read(path)


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.97])
def test_an_archive_that_was_cut_is_told_by_its_name(tmp_path, form, share):
    whole = pack(form, tmp_path / "whole", FILES).read_bytes()
    if form == "tar":  # its end, padded with zeros, says nothing
        whole = whole.rstrip(b"\0") + bytes(1024)
    path = tmp_path / f"cut.{form}"
    path.write_bytes(whole[: max(int(share * len(whole)), 300)])
    with tells(match=rf"cut\.{form} is (damaged or incomplete|no archive).*"):
        read(path)


@pytest.mark.parametrize("form", ["tar.gz", "tar.xz", "tar.bz2", "zip"])
def test_one_byte_that_lacks_at_the_end_is_told(tmp_path, form):
    whole = pack(form, tmp_path / "whole", FILES).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-1])
    with pytest.raises(XanesflowError, match="cut is damaged or incomplete"):
        read(tmp_path / "cut")


@pytest.mark.parametrize("form", ["tar", "tar.zst"])
def test_a_tar_cut_between_two_blocks_is_told(tmp_path, form):
    whole = tar_bytes([(tar_info(name), content) for name, content in FILES.items()]).rstrip(b"\0")
    for blocks in range(1, len(whole) // 512 + 1):
        path = tmp_path / f"cut.{form}"
        path.write_bytes(COMPRESS[form](whole[: 512 * blocks]))
        with pytest.raises(XanesflowError, match=r"cut\.tar.* is damaged or incomplete"):
            read(path)


@pytest.mark.parametrize("form", ["tar.gz", "tar.xz", "tar.bz2", "tar.zst"])
def test_a_flipped_bit_is_told(tmp_path, form):
    """All packed forms keep a checksum; a plain tar keeps one of its headers only."""
    path = with_a_bit_flipped(pack(form, tmp_path / f"bad.{form}", FILES))
    with pytest.raises(XanesflowError, match=rf"bad\.{form} is damaged"):
        read(path)


@pytest.mark.parametrize("form", ["tar.gz", "tar.xz", "tar.bz2", "tar.zst"])
def test_a_tar_packed_in_several_streams_is_read_whole(tmp_path, form):
    """As pigz, pxz, pbzip2 and pzstd write them."""
    whole = tar_bytes([(tar_info(name), content) for name, content in FILES.items()])
    parts = [whole[:5000], whole[5000:20000], whole[20000:]]
    (tmp_path / "runs").write_bytes(b"".join(COMPRESS[form](part) for part in parts))
    assert read(tmp_path / "runs") == [(name, content, "") for name, content in WANTED.items()]


@pytest.mark.parametrize("form", FORMS)
def test_files_and_folders_that_are_only_noted_are_given_without_content(tmp_path, form):
    """A run's folder tells that there is a run, whatever is in it."""
    path = pack(form, tmp_path / "runs", FILES)
    members = list(read_archive(path, lambda name: name.endswith("mp-1/POSCAR"), lambda name: "mp-2" in name))
    given = {(member.name, member.content) for member in members}
    assert {("Cu/mp-1/POSCAR", b"one\n"), ("Cu/mp-2/POSCAR", b"")} <= given
    assert given - {("Cu/mp-1/POSCAR", b"one\n"), ("Cu/mp-2/POSCAR", b""), ("Cu/mp-2", b"")} == set()


def test_a_damaged_member_of_a_zip_stops_no_other(tmp_path):
    path = with_a_bit_flipped(pack("zip", tmp_path / "bad.zip", FILES))
    assert len(read(path)) == len(WANTED) and "it is damaged" in the_only_problem(path)


@pytest.mark.parametrize("form", ["tar", "tar.zst"])
def test_a_damaged_header_inside_a_tar_is_told(tmp_path, form):
    """tarfile takes it for the end, and all runs behind it would be lost in silence."""
    plain = bytearray(pack("tar", tmp_path / "plain.tar", FILES).read_bytes())
    headers = [k for k in range(0, len(plain), 512) if plain[k + 257 : k + 262] == b"ustar"]
    for damage in (slice(headers[1] + 10, headers[1] + 11), slice(headers[1], headers[1] + 512)):
        damaged = plain.copy()
        damaged[damage] = bytes(b ^ 4 if b else 4 for b in damaged[damage])
        path = tmp_path / f"bad.{form}"
        path.write_bytes(zstandard.compress(bytes(damaged)) if form == "tar.zst" else damaged)
        with pytest.raises(XanesflowError, match=rf"bad\.{form} is damaged"):
            read(path)


def test_a_hole_in_a_tar_and_tars_joined_are_told(tmp_path):
    plain = pack("tar", tmp_path / "plain.tar", FILES).read_bytes()
    headers = [k for k in range(0, len(plain), 512) if plain[k + 257 : k + 262] == b"ustar"]
    (tmp_path / "hole.tar").write_bytes(plain[: headers[1]] + bytes(1024) + plain[headers[1] + 1024 :])
    (tmp_path / "joined.tar").write_bytes(plain + plain)
    for name in ("hole.tar", "joined.tar"):
        with pytest.raises(XanesflowError, match="goes on behind the tar's end mark"):
            read(tmp_path / name)


def test_a_header_of_gigabytes_of_names_is_refused(tmp_path):
    info = tarfile.TarInfo("names")
    info.type, info.size = tarfile.XHDTYPE, 2**31
    (tmp_path / "bomb.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(10240))
    with pytest.raises(XanesflowError, match="bytes of names"):
        read(tmp_path / "bomb.tar")


@pytest.mark.parametrize("form", ["tar", "tar.xz", "zip"])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/Cu/mp-1/POSCAR", "absolute"),
        ("C:/Cu/mp-1/POSCAR", "absolute"),
        ("C:\\Cu\\mp-1\\POSCAR", "absolute"),
        ("../Cu/mp-1/POSCAR", "'..'"),
        ("Cu/../../mp-1/POSCAR", "'..'"),
        ("..\\..\\POSCAR", "'..'"),
        ("././/etc/POSCAR", "absolute"),
    ],
)
def test_a_name_that_leads_elsewhere_is_not_read_but_told(tmp_path, form, name, problem):
    path = pack(form, tmp_path / "runs", {name: b"evil", "Cu/mp-3/POSCAR": b"good"})
    assert problem in the_only_problem(path)
    assert ("Cu/mp-3/POSCAR", b"good", "") in read(path)


TARGETS = ("/etc/passwd", "../../outside", "Cu/mp-3/POSCAR")


@pytest.mark.parametrize(
    ("kind", "target"),
    [*product((tarfile.SYMTYPE, tarfile.LNKTYPE), TARGETS),
     (tarfile.FIFOTYPE, ""), (tarfile.CHRTYPE, ""), (tarfile.BLKTYPE, "")],
)  # fmt: skip
def test_a_link_or_device_in_a_tar_is_not_followed_but_told(tmp_path, kind, target):
    path = tmp_path / "runs.tar"
    link = tar_info("Cu/mp-4/POSCAR", kind, target)
    path.write_bytes(tar_bytes([(tar_info("Cu/mp-3/POSCAR"), b"good"), (link, b"")]))
    assert the_only_problem(path) == (f"it is a link to {target}" if target else "it is not a plain file")


def test_a_link_in_a_zip_is_not_followed_but_told(tmp_path):
    zip_with_link(tmp_path / "runs.zip", "Cu/mp-4/POSCAR", "/etc/passwd")
    assert the_only_problem(tmp_path / "runs.zip") == "it is a link"


def test_a_huge_member_is_not_read_but_told(tmp_path):
    """Of 64 MiB and a byte, in a folder and in a tar both sparse, and in a zip of zeros."""
    size = MEMBER_LIMIT + 1
    big = tmp_path / "folder" / "Cu" / "POSCAR"
    big.parent.mkdir(parents=True)
    with big.open("wb") as file:
        file.truncate(size)
    info = tar_info("Cu/POSCAR")
    info.size = size
    with (tmp_path / "runs.tar").open("wb") as file:
        file.write(info.tobuf())
        file.truncate(512 + size + (-size) % 512 + 1024)
    with zipfile.ZipFile(tmp_path / "runs.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.write(big, "Cu/POSCAR")
    for path in (tmp_path / "folder", tmp_path / "runs.tar", tmp_path / "runs.zip"):
        assert the_only_problem(path) == "it has 67,108,865 bytes, and the limit is 67,108,864"


def test_a_zip_whose_header_lies_about_a_size_is_told(tmp_path):
    path = pack("zip", tmp_path / "runs.zip", {"Cu/POSCAR": bytes(1_000_000), "Cu/mp-3/POSCAR": b"good"})
    patch_zip_directory(path, 24, (10).to_bytes(4, "little"), local_offset=22)
    assert "it is damaged (Bad CRC" in the_only_problem(path)
    assert ("Cu/mp-3/POSCAR", b"good", "") in read(path)


def test_a_zip_with_a_name_that_is_no_text_is_told(tmp_path):
    path = pack("zip", tmp_path / "runs.zip", {"Cu/é/POSCAR": b"x"})
    patch_zip_directory(path, 46 + 3, b"\xff")
    with pytest.raises(XanesflowError, match=r"runs\.zip is damaged"):
        read(path)


def test_an_encrypted_member_of_a_zip_is_told(tmp_path):
    path = pack("zip", tmp_path / "runs.zip", {"Cu/mp-1/POSCAR": b"secret", "Cu/mp-2/POSCAR": b"open"})
    patch_zip_directory(path, 8, b"\x01\x00", local_offset=6)
    assert the_only_problem(path) == "it is encrypted"
    assert ("Cu/mp-2/POSCAR", b"open", "") in read(path)


def test_links_in_a_folder_are_followed_but_loops_are_not(tmp_path):
    """People link run folders to a scratch disk."""
    pack("folder", tmp_path / "scratch", {"mp-1/POSCAR": b"one"})
    runs = tmp_path / "runs"
    (runs / "Cu").mkdir(parents=True)
    (runs / "Cu" / "linked").symlink_to(tmp_path / "scratch" / "mp-1")
    (runs / "Cu" / "up").symlink_to("..")
    (runs / "Cu" / "self").symlink_to("self")
    assert read(runs) == [("Cu/linked/POSCAR", b"one", "")]


def test_what_is_no_plain_file_in_a_folder_is_told_and_never_waited_for(tmp_path):
    folder = tmp_path / "runs" / "Cu"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "a_POSCAR")
    (folder / "b_POSCAR").symlink_to("nowhere")
    (folder / "c_POSCAR").write_bytes(b"good")
    (folder / "d_POSCAR").symlink_to("d_POSCAR")
    members = read(tmp_path / "runs")
    assert members[0] == ("Cu/a_POSCAR", b"", "it is not a plain file")
    assert members[1] == ("Cu/b_POSCAR", b"", "it cannot be read (No such file or directory)")
    assert members[2] == ("Cu/c_POSCAR", b"good", "")
    assert members[3] == ("Cu/d_POSCAR", b"", "it cannot be read (Too many levels of symbolic links)")


def test_a_folder_that_cannot_be_listed_is_told_and_not_passed_over(tmp_path, monkeypatch):
    path = pack("folder", tmp_path / "runs", FILES)
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("mp-10"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(XanesflowError, match=r"Cu/mp-10 cannot be listed \(Permission denied\)"):
        read(path)


def test_the_members_before_the_damage_were_given(tmp_path):
    whole = pack("tar", tmp_path / "whole.tar", FILES).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: 512 + 10200 + 40 + 512 + 512])
    given = []
    with pytest.raises(XanesflowError, match="after 2 files of runs"):
        given.extend(member.name for member in read_archive(tmp_path / "cut.tar", wanted))
    assert given == list(WANTED)[:2]
