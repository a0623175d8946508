"""Open HDF5 files for reading, within limits, and tell a locked file from a damaged one."""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xanesflow.core import limits
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import SenselessFileError, XanesflowError

_KINDS = "fiub"  # of numbers; texts are strings or bytes


@contextmanager
def read_hdf5(path: str | Path, sentence: str) -> Iterator[h5py.File]:
    """Open a file of the workflow and read it, so that whatever is wrong with it ends in one sentence.

    Args:
        path: the file.
        sentence: for the user, with `{why}`; see `core.damage.explain_damage`.

    Raises:
        XanesflowError: the file cannot be opened, or what the block reads is not there or of another form.
    """
    with explain_damage(sentence), open_hdf5(path) as file:
        for dataset in _arrays(file):
            check_array(dataset)
        yield file


def open_hdf5(path: str | Path) -> h5py.File:
    """Open a file for reading, and check that walking through it ends.

    Raises:
        XanesflowError: another program has it open for writing, or its file system has no locks.
        SenselessFileError: it contains itself, refers to other files, or announces far more than it can hold.
        OSError: it cannot be opened for another reason, such as damage.
    """
    file = _opened(path)
    try:
        _check_links(file)
    except BaseException:
        file.close()
        raise
    return file


def check_schema(file: h5py.File, wanted: str) -> None:
    """Check that a file calls itself what is wanted.

    Raises:
        SenselessFileError: it has another schema, or none.
    """
    found = str(file.attrs.get("schema", "missing"))[:60]
    if found != wanted:
        raise SenselessFileError(f"its schema is {found}, wanted '{wanted}'")


def check_array(dataset: h5py.Dataset) -> None:
    """Check that an array has a type that the workflow writes, and that memory may be taken for its shape.

    Raises:
        SenselessFileError: it has not.
    """
    kind, shape = dataset.dtype, dataset.shape
    if shape is None or dataset.is_virtual or dataset.external:
        raise SenselessFileError(f"{_name(dataset)} holds nothing by itself")
    if (kind.kind not in _KINDS + "SV" and h5py.check_string_dtype(kind) is None) or kind.kind == "V":
        raise SenselessFileError(f"{_name(dataset)} holds neither numbers nor texts")
    size = math.prod(map(int, shape)) * kind.itemsize
    most = max(limits.SPARE_OF_ARRAYS, limits.PACKING_OF_ARRAYS * Path(dataset.file.filename).stat().st_size)
    if size > min(most, limits.ARRAY_OF_HDF5):
        raise SenselessFileError(f"its shape is said to be {shape}, but the file is too small for that")


def write_numbers(group: h5py.Group, name: str, values: np.ndarray, units: str) -> None:
    """Write an array with its unit, compressed where it is a table."""
    group.create_dataset(name, data=values, compression="gzip" if values.ndim > 1 and values.size else None)
    group[name].attrs["units"] = units


def plain_attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """All attributes of a part of a file: texts, numbers and lists of them.

    Raises:
        SenselessFileError: one is of another type.
    """
    found: dict[str, Any] = {}
    for name, value in item.attrs.items():
        plain = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        if not isinstance(plain, (str, int, float, list)):
            raise SenselessFileError(f"its attribute '{name[:60]}' is neither a text nor a number")
        found[name] = plain
    return found


def _check_links(file: h5py.File) -> None:
    """Refuse links to other places, groups in themselves, and what is too deep or too much.

    Raises:
        SenselessFileError: there is such a thing.
    """
    objects = 0

    def link(name: bytes, info: Any) -> str | None:
        if info.type != h5py.h5l.TYPE_HARD:
            return "holds links to other places or files"
        return "is nested too deep" if name.count(b"/") >= limits.DEPTH_OF_HDF5 else None

    def item(name: bytes, info: Any) -> str | None:
        nonlocal objects
        objects += 1
        if objects > limits.OBJECTS_OF_HDF5:
            return f"holds more than {limits.OBJECTS_OF_HDF5:,} parts"
        if info.type == h5py.h5o.TYPE_GROUP:
            return "holds a group that contains itself" if info.rc > 1 else None
        return None if info.type == h5py.h5o.TYPE_DATASET else "holds a type instead of an array"

    try:
        problem = file.id.links.visit(link, info=True) or h5py.h5o.visit(file.id, item, info=True)
    except RuntimeError:
        raise SenselessFileError("its list of groups and arrays cannot be read") from None
    if h5py.h5o.get_info(file.id).rc > 1:
        problem = "holds itself"
    if problem:
        raise SenselessFileError(f"it {problem}")


def _arrays(file: h5py.File) -> list[h5py.Dataset]:
    found: list[h5py.Dataset] = []
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def _name(dataset: h5py.Dataset) -> str:
    return str(dataset.name).strip("/")[:80]


def _opened(path: str | Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if "unable to lock file" not in str(error):
            raise
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise XanesflowError(
                f"{path} is locked: another program has it open for writing; close it there, or wait until it is done."
            ) from None
        raise XanesflowError(
            f"{path} cannot be locked, since its file system has no locks; set HDF5_USE_FILE_LOCKING=FALSE in the "
            "environment, and write to the file from one program at a time."
        ) from None
