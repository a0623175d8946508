"""Finds the checkpoints of what a user names as a model, and needs no PyTorch for it."""

from __future__ import annotations

from pathlib import Path

from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import XanesflowError
from xanesflow.core.tensors_file import read_tensors
from xanesflow.core.text import first_few
from xanesflow.prediction.builtin_models import path_of
from xanesflow.prediction.exported_model import MODEL_FILE, check_folder

WANTED = (
    "name a checkpoint (seed0.safetensors), a folder with the seeds of a model, one of `xanesflow model export`, or "
    "one that comes with xanesflow (`xanesflow model list`)"
)


def find_checkpoints(given: str | Path) -> list[Path]:
    """The checkpoints that a path, or the name of a model that comes with the package, stands for.

    Raises:
        XanesflowError: there is no model, or an exported folder was changed.
    """
    path = path_of(given)
    if path.is_dir():
        if (path / MODEL_FILE).is_file():
            return check_folder(path)
        if found := sorted(path.glob("seed*.safetensors")):
            return found
        below = sorted(each.parent.name for each in path.glob("*/seed0.safetensors"))
        hint = f" (it holds folders of models: {first_few(below, 5)})"
        raise XanesflowError(f"The folder {path} holds no model{hint if below else ''}; {WANTED}.")
    if not path.exists():
        raise XanesflowError(f"There is no model {path}; {WANTED}.")
    if not path.is_file():
        raise XanesflowError(f"{path} is not a plain file; {WANTED}.")
    with path.open("rb") as opened:
        if opened.read(8) == b"\x89HDF\r\n\x1a\n":
            raise XanesflowError(f"{path} is an HDF5 file, such as a dataset, not a model; {WANTED}.")
    return [path]


def check_model(given: str | Path) -> None:
    """Check in a moment that there is a model, of which only whole files are known; `load_models` checks the rest.

    Raises:
        XanesflowError: there is none, or its files are no checkpoints.
    """
    for path in find_checkpoints(given):
        with explain_damage(f"{path} is no checkpoint ({{why}}); {WANTED}."):
            read_tensors(path)
