"""Refuse, before the work, to write a result over what is read, or where it would be read the next time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from xanesflow.core.errors import WrongCallError, XanesflowError


def check_written(
    results: Sequence[tuple[Path | None, Callable[[Path], object]]],
    spectra: Sequence[Path],
    others: Sequence[Path] = (),
) -> None:
    """Refuse names of results with a wrong ending, and those of something that is read.

    Args:
        results: each file to write (None: not that one), and what raises XanesflowError if its name is wrong.
        spectra: files and folders of spectra that are read.
        others: other files and folders that are read.

    Raises:
        WrongCallError: a name is wrong, that of a folder or of a file that is read, or in a folder of spectra.
    """
    read = [each.resolve() for each in (*spectra, *others)]
    folders = [each.resolve() for each in spectra if each.is_dir()]
    for path, check in results:
        if path is None:
            continue
        try:
            check(path)
        except XanesflowError as error:
            raise WrongCallError(str(error)) from None
        if path.is_dir():
            raise WrongCallError(f"{path} is a folder; name a file in it.")
        inside = path.resolve().parent in folders
        if path.resolve() in read or (inside and path.exists()):
            raise WrongCallError(
                f"{path} is one of the files that are read; name another: these are never overwritten."
            )
        if inside:
            raise WrongCallError(
                f"{path} lies in a folder of scans, where it would be read as one; name another place."
            )
