"""The campaign's working directory, which `status` and `retry` take as an argument and as the option `--directory`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.sites import Subset


def working_directory(argument: Path | None, option: Path | None) -> Path:
    """Return the directory that was given, or the current one.

    Raises:
        WrongCallError: two different ones were given.
    """
    if argument is not None and option is not None and argument.resolve() != option.resolve():
        raise WrongCallError(f"Two working directories are given, {argument} and {option}; give one.")
    return argument or option or Path()


def directory_and_subsets(words: Sequence[str], option: Path | None) -> tuple[Path, list[str]]:
    """Divide words into the working directory and names of subsets.

    A word with a path separator is a directory, as is the name of a folder that is no name of a subset.

    Raises:
        WrongCallError: several directories are given.
    """
    folders = [word for word in dict.fromkeys(words) if _is_folder(word)]
    if len(folders) > 1:
        raise WrongCallError(f"Two working directories are given, {folders[0]} and {folders[1]}; give one.")
    given = Path(folders[0]) if folders else None
    return working_directory(given, option), [word for word in words if word not in folders]


def _is_folder(word: str) -> bool:
    try:
        Subset.parse(word)
    except XanesflowError:
        return os.sep in word or Path(word).is_dir()
    return False
