"""The published Cu runs and splits among the data for tests, as far as a test wants them."""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterator
from itertools import groupby, islice, takewhile
from operator import itemgetter

from shared_data import shared


def split_file(part: str, subset: str = "Cu_FEFF") -> list[str]:
    """The sites of a part, such as `mp-390_000`."""
    return (shared("3dtm_xanes_ml2024/splits") / f"{subset}_{part}.txt").read_text().split()


def first_materials(part: str, number: int) -> set[str]:
    """The materials of a part that stand first in the archive."""
    return set(sorted({site.rsplit("_", 1)[0] for site in split_file(part)})[:number])


def files_of_archive() -> Iterator[tuple[str, str, bytes]]:
    """Material, path below it (`POSCAR`, `FEFF-XANES/000_Cu/xmu.dat`) and content, sorted by material."""
    with tarfile.open(shared("feff9-cu.tar.xz")) as archive:
        for member in archive:
            if member.isfile():
                _, material, path = member.name.split("/", 2)
                yield material, path, archive.extractfile(member).read()  # type: ignore[union-attr]


def files_of_materials(wanted: Collection[str]) -> dict[str, bytes]:
    """All files of these materials by their path in the archive."""
    there = takewhile(lambda file: file[0] <= max(wanted), files_of_archive())
    return {f"Cu/{material}/{path}": content for material, path, content in there if material in wanted}


def files_of_first_materials(number: int) -> dict[str, bytes]:
    """All files of the materials that the archive begins with, by their path in it."""
    by_material = islice(groupby(files_of_archive(), itemgetter(0)), number)
    return {f"Cu/{material}/{path}": content for _, files in by_material for material, path, content in files}
