"""Reads lists of material ids, with which a campaign requests exactly the materials of an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import PARTS
from xanesflow.core.text import quoted

# mp-390, mvc-12, mp-390_000 with a site, or letters instead of digits, as in Materials Project's newer ids.
_ID = re.compile(r"([a-z]{2,5}-(?:\d+|[a-z]+))(?:_\d+)?")


_LETTERS = re.compile(r"([a-z]{2,5})-([a-z]{8})")
_DIGITS = re.compile(r"([a-z]{2,5})-(\d{7,11})")

LAST_NUMBER = 3_347_529
"""Materials up to this one are known by numbers; later ones have eight letters alone."""


def one_id(material_id: str) -> str:
    """The one way to write an id that Materials Project knows in two: `mp-390` for `mp-aaaaaapa`.

    Its newer ids are numbers to the base of 26, in eight letters. Numbers are kept up to `LAST_NUMBER`, letters beyond.
    """
    if match := _LETTERS.fullmatch(material_id):
        number = 0
        for letter in match[2]:
            number = 26 * number + ord(letter) - ord("a")
        return f"{match[1]}-{number}" if number <= LAST_NUMBER else material_id
    if (match := _DIGITS.fullmatch(material_id)) and LAST_NUMBER < int(match[2]) < 26**8:
        number, letters = int(match[2]), ""
        for _ in range(8):
            number, last = divmod(number, 26)
            letters = chr(ord("a") + last) + letters
        return f"{match[1]}-{letters}"
    return material_id


def id_files(source: str | Sequence[str] | None, subset: str) -> list[str]:
    """Files that hold the material ids of a subset.

    Args:
        source: a file, a folder with `<subset>_{train,val,test}.txt` as published, a list of ids, or None.
        subset: such as `Cu_FEFF`.

    Raises:
        XanesflowError: a file is missing.
    """
    if not isinstance(source, str):
        return []
    where = f"structures.materials_project.ids is {source}"
    if Path(source).is_file():
        return [source]
    if not Path(source).is_dir():
        raise XanesflowError(
            f"{where}, which does not exist (looked from {Path.cwd()}); name a file of ids, or a folder with "
            f"{subset}_train.txt, {subset}_val.txt and {subset}_test.txt."
        )
    files = [Path(source) / f"{subset}_{part}.txt" for part in PARTS]
    if missing := [file.name for file in files if not file.is_file()]:
        raise XanesflowError(
            f"{where}, a folder without {', '.join(missing)} (looked from {Path.cwd()}), so the materials of {subset} "
            "are not known; put the files there, or name one file of ids."
        )
    return [str(file) for file in files]


def read_ids(paths: Iterable[str | Path]) -> list[str]:
    """Read the material ids of text files, sorted and without duplicates.

    A line holds an id, or a site in the form of the published splits, `mp-390_000`. Empty lines and text after # are
    ignored.

    Raises:
        XanesflowError: a line holds neither, or the files hold no id at all.
    """
    found: set[str] = set()
    files = [Path(path) for path in paths]
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise XanesflowError(
                f"{path} is not a text file; write one material id on each line, such as mp-390."
            ) from None
        for number, line in enumerate(lines, start=1):
            if text := line.partition("#")[0].strip():
                found.add(_material(text, f"{path}, line {number}"))
    if files and not found:
        raise XanesflowError(f"{files[0]} holds no material id; write one on each line, such as mp-390.")
    return sorted(found)


def check_ids(ids: Iterable[str], where: str) -> list[str]:
    """Check the material ids of a list; returns them sorted and without duplicates.

    Raises:
        XanesflowError: an entry is not a material id.
    """
    return sorted({_material(each, where) for each in ids})


def _material(text: str, where: str) -> str:
    match = _ID.fullmatch(text)
    if match is None:
        raise XanesflowError(
            f"{where}: {quoted(text)} is not a material id; write one such as mp-390, or a site such as mp-390_000."
        )
    return one_id(match[1])
