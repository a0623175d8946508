"""Checks that the files named in a configuration exist, before hours of work that would fail without them."""

from __future__ import annotations

from pathlib import Path

from xanesflow.core.errors import XanesflowError


def check_split_files(paths: list[str], subset: str) -> None:
    """Check that the published split files exist.

    Raises:
        XanesflowError: one is missing; the message names it.
    """
    for path in paths:
        if not Path(path).exists():
            raise XanesflowError(
                f"{path} does not exist (looked from {Path.cwd()}); splits.files must be a folder with "
                f"{subset}_train.txt, {subset}_val.txt and {subset}_test.txt, or null for the balanced split."
            )


def check_directory(path: str | Path, key: str = "structures.directory") -> None:
    """Check that the folder of structures that `key` names exists; its content is checked when it is read.

    Raises:
        XanesflowError: it does not; the message says where it was looked for.
    """
    if not Path(path).is_dir():
        raise XanesflowError(
            f"{key} is {path}, which is no folder (looked from {Path.cwd()}); name the folder with "
            "your structure files."
        )
