"""Write and read safetensors files, with which trained models are kept: named arrays and named texts, and no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from xanesflow.core.errors import SenselessFileError
from xanesflow.core.files import atomic_path


def write_tensors(path: str | Path, arrays: Mapping[str, npt.NDArray[Any]], texts: dict[str, str]) -> None:
    """Write arrays and texts, whole or not at all."""
    # safetensors assumes C order and silently writes arrays in another order wrongly.
    in_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        save_file(in_order, temporary, metadata=texts)


def read_tensors(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """The arrays and the texts of a file, each by name.

    Raises:
        OSError: it cannot be opened; its `errno` says why.
        SenselessFileError: it is no such file, or its header does not fit its content.
    """
    with Path(path).open("rb"):  # safetensors' own errors have no errno
        pass
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, TypeError, ValueError):
        raise SenselessFileError("it is no file of tensors, or its header does not fit its content") from None
