"""Archives that no honest program writes: each is small, and each asks its reader for something without end."""

from __future__ import annotations

import random
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pack_archives import tar_bytes, tar_info

CHAIN = 3000
"""Headers that follow one another, more than Python's calls may be nested."""

HOSTILE_NAMES = (
    "mp-1\rmp-2",
    "mp\x1b[2J",
    "=cmd|' /C calc'!A0",
    "-1+1",
    "@sum",
    "mp 1",
    "mp-1_",
    "a" * 200,
    "mp-1\n",
    "mp-1\udcff",
)
"""Names of materials that would break a line, a terminal or a spreadsheet."""


def hostile_tars(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write tars whose headers refer to each other or contradict themselves; name and path of each."""
    long_name = tar_info("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    pax = tar_info("pax", tarfile.XHDTYPE)
    good = (tar_info("Cu/mp-1/POSCAR"), b"good")
    found = {
        "names that announce names": [*[(long_name, b"x/POSCAR\0")] * CHAIN, good],
        "headers that announce headers": [*[(pax, _pax(b"path=POSCAR"))] * CHAIN, good],
        "a sparse map without numbers": [(pax, _pax(b"GNU.sparse.map=a,b,c")), good],
        "a sparse size that is negative": [(pax, _pax(b"GNU.sparse.size=-5", b"GNU.sparse.map=0,9")), good],
        "a sparse map of odd length": [(pax, _pax(b"GNU.sparse.major=1", b"GNU.sparse.minor=0")), good],
        "a record without length": [(pax, b"path=POSCAR\n"), good],
        "a size that is no number": [(pax, _pax(b"size=many")), good],
        "a size that is negative": [(pax, _pax(b"size=-99")), good],
        "a time that is no number": [(pax, _pax(b"mtime=nan")), good],
    }
    for number, (name, members) in enumerate(found.items()):
        path = folder / f"{number}.tar"
        path.write_bytes(tar_bytes(members))
        yield name, path


def _pax(*records: bytes) -> bytes:
    """Records of a pax header, each with its right length."""
    whole = b""
    for record in records:
        length = len(record) + 3
        while len(b"%d %s\n" % (length, record)) != length:
            length += 1
        whole += b"%d %s\n" % (length, record)
    return whole


def damaged_copies(path: Path, count: int, seed: int) -> Iterator[Path]:
    """Write copies of a file with some bytes changed, repeated, moved or cut, to `path` itself, one after another."""
    chance, whole = random.Random(seed), path.read_bytes()
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            kind = chance.randrange(4)
            if kind == 0:
                data[at : at + chance.randint(1, 8)] = chance.randbytes(chance.randint(1, 8))
            elif kind == 1:
                data[at:at] = data[at : at + chance.randint(1, 600)]
            elif kind == 2:
                del data[at : at + chance.randint(1, 600)]
            else:
                data[at : at + 12] = chance.choice([b"\xff" * 12, bytes(12), b"99999999999\0", b"-0000000001\0"])
        path.write_bytes(data)
        yield path


def folders_that_link_to_each_other(folder: Path, count: int) -> None:
    """Folders each of which links to all others, so that the paths through them grow like a factorial."""
    for own in range(count):
        (folder / f"f{own:02d}").mkdir(parents=True)
        (folder / f"f{own:02d}" / "POSCAR").write_bytes(b"%d" % own)
    for own in range(count):
        for other in range(count):
            if own != other:
                (folder / f"f{own:02d}" / f"to{other:02d}").symlink_to(Path("..", f"f{other:02d}"))


def zip_of_names(path: Path, names: list[str], content: bytes = b"x") -> None:
    """A zip with members of any names."""
    with zipfile.ZipFile(path, "w") as packed:
        for name in names:
            packed.writestr(zipfile.ZipInfo(name), content)
