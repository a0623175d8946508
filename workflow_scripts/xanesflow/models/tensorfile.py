"""Named arrays and text in one file: the open safetensors format, read and written with nothing but numpy.

A file is the header's length (8 bytes, little endian), the header (JSON: name -> dtype, shape, data_offsets, and
`__metadata__`, a map from text to text) and the arrays' bytes, row by row, without gaps. Nothing in it can be
executed when it is read. Described at https://github.com/huggingface/safetensors; its own readers open our files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.errors import XanesflowError
from xanesflow.files import atomic_path

_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8")}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def write_tensors(path: str | Path, tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write arrays (float32, float64, int64) and text, whole or not at all.

    Raises:
        KeyError: an array has another dtype.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    blocks: list[bytes] = []
    begin = 0
    for name, array in tensors.items():
        dtype = array.dtype.newbyteorder("<")
        blocks.append(np.ascontiguousarray(array, dtype=dtype).tobytes())
        end = begin + len(blocks[-1])
        header[name] = {"dtype": _NAMES[dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the arrays start aligned, as the format recommends
    with atomic_path(path) as temporary, temporary.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        opened.writelines(blocks)


def read_tensors(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Read what `write_tensors`, or any writer of the format, wrote.

    Returns:
        The arrays and the text (`__metadata__`), each by name.

    Raises:
        XanesflowError: the file cannot be read, is cut short, or is of another format.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise XanesflowError(f"The model file {path} cannot be read ({error.strerror}).") from None
    try:
        return _parse(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise XanesflowError(
            f"{path} is not a model file, or it is damaged ({error}); train the model again or fetch the file anew."
        ) from None


def _parse(content: bytes) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    start = 8 + int.from_bytes(content[:8], "little")
    if len(content) < 8 or start > len(content):
        raise ValueError("its header is longer than the file")
    header = json.loads(content[8:start].decode())
    metadata = header.pop("__metadata__", {})
    tensors: dict[str, npt.NDArray[Any]] = {}
    covered = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
        if begin != covered or end - begin != prod(shape) * dtype.itemsize:
            raise ValueError(f"the place of '{name}' does not fit its shape")
        tensors[name] = np.frombuffer(content[start + begin : start + end], dtype).reshape(shape)
        covered = end
    if start + covered != len(content):
        raise ValueError("its length is not what its header says")
    return tensors, metadata
