"""Open npz files of NumPy that others may have written, once what their arrays announce has been compared with them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from xanesflow.core import limits
from xanesflow.core.errors import SenselessFileError

_READS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@contextmanager
def open_npz(path: str | Path) -> Iterator[Any]:
    """Open an npz file; arrays of Python objects are never read.

    Args:
        path: the file.

    Raises:
        SenselessFileError: it holds a single array, or its arrays announce more than they have or than is read.
        OSError, ValueError, KeyError, zipfile.BadZipFile: it is damaged; also what the block reads of it.
    """
    with Path(path).open("rb") as file:
        if file.read(6) == np.lib.format.MAGIC_PREFIX:
            raise SenselessFileError("it holds a single array, not several named ones")
    announced = 0
    with zipfile.ZipFile(path) as packed:
        members = packed.infolist()
        if len(members) > limits.NAMES_OF_NPZ:
            raise SenselessFileError(f"it has more than {limits.NAMES_OF_NPZ:,} arrays")
        for info in members:
            with packed.open(info) as member:
                size = _announced(member, info.filename)
            if size > info.file_size:
                raise SenselessFileError(f"{info.filename[:60]} announces {size:,} bytes and has {info.file_size:,}")
            announced += info.file_size
            spare = limits.SPARE_OF_ARRAYS
            if info.file_size > spare and info.file_size > limits.PACKING_OF_ARRAYS * info.compress_size:
                raise SenselessFileError(f"{info.filename[:60]} is packed {info.file_size // info.compress_size}-fold")
    if announced > limits.ARRAYS_OF_NPZ:
        most = limits.ARRAYS_OF_NPZ / 2**30
        raise SenselessFileError(
            f"its arrays have {announced / 2**30:,.1f} GiB, and at most {most:.0f} GiB are read; write a file for each "
            "subset"
        )
    with np.load(path, allow_pickle=False) as opened:
        yield opened


def _announced(member: IO[bytes], name: str) -> int:
    """Bytes that the header of an array announces; 0 for Python objects, which NumPy refuses.

    Raises:
        SenselessFileError: the header cannot be read.
    """
    try:
        shape, _, dtype = _READS[np.lib.format.read_magic(member)](member)
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError
    except Exception:  # NumPy's parser, and Python's for the header, raise all kinds of errors
        raise SenselessFileError(f"the header of {name[:60]} is damaged") from None
    return 0 if dtype.hasobject else math.prod(shape) * dtype.itemsize
