"""Recognises and checks a folder that `xanesflow model export` wrote."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import HASHES, sha256_file
from xanesflow.core.text import in_words, quoted

MODEL_FILE = "model.json"
FORMAT = "xanesflow model folder 1"

_AGAIN = "fetch the folder again, or export the model again"


def check_folder(folder: Path) -> list[Path]:
    """Check that each file has the hash that the folder's list says, and return the checkpoints.

    Raises:
        XanesflowError: another version wrote the folder, or a file is missing or was changed.
    """
    hashes = read_hashes(folder)
    for name, wanted in hashes.items():
        path = folder / name
        if not path.is_file():
            raise XanesflowError(f"The model folder {folder} lacks {name}; {_AGAIN}.")
        if sha256_file(path) != wanted:
            raise XanesflowError(f"{path} does not match {HASHES} in its folder (cut short, or changed); {_AGAIN}.")
    names = list(read_about(folder)["checkpoints"].values())
    for name in names:
        if name not in hashes:
            raise XanesflowError(f"{folder / MODEL_FILE} names {name[:80]}, which {HASHES} does not list; {_AGAIN}.")
    return [folder / name for name in names]


def read_about(folder: Path) -> dict[str, Any]:
    """Read `model.json`.

    Raises:
        XanesflowError: it is missing, damaged or of another version.
    """
    path = folder / MODEL_FILE
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        found = about["format"]
        if found == FORMAT and not all(isinstance(name, str) for name in about["checkpoints"].values()):
            raise ValueError("its checkpoints are not names of files")
    except OSError as error:
        raise XanesflowError(f"{path} cannot be read ({error.strerror}); {_AGAIN}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise XanesflowError(f"{path} is damaged ({in_words(error)}); {_AGAIN}.") from None
    if found != FORMAT:
        raise XanesflowError(f"{path} has the format {quoted(found)}, not '{FORMAT}'; export the model again.")
    return dict(about)


def read_hashes(folder: Path) -> dict[str, str]:
    """Read the SHA-256 of each file from `SHA256SUMS`.

    Raises:
        XanesflowError: the list cannot be read, or it names files outside of the folder.
    """
    path = folder / HASHES
    try:
        lines = [line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        hashes = {name: sha for sha, name in lines}
    except (OSError, ValueError) as error:
        raise XanesflowError(f"{path} cannot be read ({in_words(error)}); {_AGAIN}.") from None
    for name in hashes:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise XanesflowError(f"{path} names {name}, which lies outside of the folder; {_AGAIN}.")
    if MODEL_FILE not in hashes:
        raise XanesflowError(f"{path} does not name {MODEL_FILE}; {_AGAIN}.")
    return hashes
