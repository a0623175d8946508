"""Recognises and checks a folder that `xanesflow model export` wrote."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import SenselessFileError, XanesflowError
from xanesflow.core.files import HASHES, read_small, sha256_file
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.text import quoted

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
    with explain_damage(f"{path} is damaged ({{why}}); {_AGAIN}."):
        about = parse_object(read_small(path))
        found = str(about["format"])
        if found == FORMAT and not all(isinstance(name, str) for name in about["checkpoints"].values()):
            raise SenselessFileError("its checkpoints are not names of files")
    if found != FORMAT:
        raise XanesflowError(f"{path} has the format {quoted(found)}, not '{FORMAT}'; export the model again.")
    return about


def read_hashes(folder: Path) -> dict[str, str]:
    """Read the SHA-256 of each file from `SHA256SUMS`.

    Raises:
        XanesflowError: the list cannot be read, or it names files outside of the folder.
    """
    path = folder / HASHES
    with explain_damage(f"{path} cannot be read ({{why}}); {_AGAIN}."):
        lines = [line.split("  ", 1) for line in read_small(path).decode().splitlines() if line.strip()]
        hashes = {name: sha for sha, name in lines}
    for name in hashes:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise XanesflowError(f"{path} names {name[:80]}, which lies outside of the folder; {_AGAIN}.")
    if MODEL_FILE not in hashes:
        raise XanesflowError(f"{path} does not name {MODEL_FILE}; {_AGAIN}.")
    return hashes
