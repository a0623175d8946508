"""What a finished run is: code, version, absorber, edge, polarisations; `xanesflow check` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from xanesflow.codes.archive import MEMBER_LIMIT
from xanesflow.core.errors import BadRunError
from xanesflow.core.sites import ELEMENTS

_DEEPEST = 2  # folders below that of the run which hold its files


@dataclass(frozen=True)
class RunDescription:
    """What a run is, as far as its files say it."""

    code: str  # such as `exciting`
    version: str = ""  # of the code; empty: the files do not say
    absorber: str = ""  # symbol of the element; empty: the files do not say
    edge: str = ""  # such as `K`; empty: the files do not say
    polarisations: tuple[str, ...] = ()  # of the light, such as `1 0 0`; empty: the code averages itself
    remarks: tuple[str, ...] = ()  # sentences on what a user should know although the run is good

    def about_element(self) -> tuple[str, ...]:
        """Return the remarks, and one more if the absorber is none of the eight metals."""
        if not self.absorber or self.absorber in ELEMENTS:
            return self.remarks
        other = f"{self.absorber} is none of {', '.join(ELEMENTS)}: add its entries to the section curation to use it"
        return (*self.remarks, other)


def check_edge(found: RunDescription, *, element: str | None) -> None:
    """Check that a run is of the K edge, and of the wanted absorber.

    Args:
        found: what the run is.
        element: symbol of the absorber; None: any.

    Raises:
        BadRunError: wrong_absorber.
    """
    if found.edge and found.edge != "K":
        raise BadRunError("wrong_absorber", f"it is the {found.edge} edge of {found.absorber}, not a K edge")
    if element and found.absorber and found.absorber != element:
        raise BadRunError("wrong_absorber", f"the absorber is {found.absorber}, not {element}")


def read_files(folder: Path, patterns: tuple[str, ...]) -> dict[str, bytes]:
    """Read the files of a run, in its folder and in folders below it.

    Args:
        folder: of the run.
        patterns: names with `*`, `?` and `[]`, such as `CNBSE/absspct*`.

    Returns:
        The content of each file by its name relative to the folder.

    Raises:
        BadRunError: unreadable.
    """
    files = {}
    for path in sorted(_below(folder, _DEEPEST)):
        name = path.relative_to(folder).as_posix()
        if not is_file_of(name, patterns):
            continue
        try:
            if path.stat().st_size > MEMBER_LIMIT:
                raise BadRunError("unreadable", f"{name} has {path.stat().st_size:,} bytes, more than such a file has")
            files[name] = path.read_bytes()
        except OSError as error:
            raise BadRunError("unreadable", f"{name} cannot be read ({error.strerror})") from None
    return files


def is_file_of(name: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a file's name is one of a run's, or matches one of its patterns."""
    return any(name.count("/") == pattern.count("/") and fnmatchcase(name, pattern) for pattern in patterns)


def _below(folder: Path, depth: int) -> list[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise BadRunError("unreadable", f"{folder.name} cannot be listed ({error.strerror})") from None
    files = [entry for entry in entries if entry.is_file()]
    if depth:
        files += [path for entry in entries if entry.is_dir() for path in _below(entry, depth - 1)]
    return files
