"""The arrays of the HDF5 files that stages pass on: one table of their types, one writer, one reader."""

from __future__ import annotations

from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xanesflow.core.errors import BadArrayError
from xanesflow.core.hdf5 import check_array

STRING = h5py.string_dtype("utf-8")


class ArrayType(NamedTuple):
    """Type of an array: of its values (`text`, or NumPy's name), the number of axes, and the unit."""

    kind: str
    axes: int = 1
    units: str | None = None


ARRAYS = {
    "energy": ArrayType("float64", units="eV"),
    "spectra": ArrayType("float64", 2, "bohr^2"),
    "envelope": ArrayType("float64", 2, "bohr^2"),
    "features": ArrayType("float32", 2),
    **dict.fromkeys(("site_index", "multiplicity"), ArrayType("int64")),
    **dict.fromkeys(("material_id", "split", "corrections", "settings", "reason", "detail"), ArrayType("text")),
}
"""Every array by its name; `features/m3gnet` and `rejected/reason` are of the types `features` and `reason`."""


def type_of(name: str) -> ArrayType:
    """Type of an array, by its path within its group."""
    return next(ARRAYS[part] for part in name.split("/") if part in ARRAYS)


def write_array(group: h5py.Group, name: str, values: ArrayLike, **attributes: str) -> h5py.Dataset:
    """Write an array with its unit; contiguously, so that HDF5 can read a single row by itself."""
    kind, _, units = type_of(name)
    if kind == "text":
        written = group.create_dataset(name, data=list(map(str, np.asarray(values, dtype=object))), dtype=STRING)
    else:
        written = group.create_dataset(name, data=np.asarray(values, dtype=kind))
    written.attrs.update(({"units": units} if units else {}) | attributes)
    return written


def read_array(group: h5py.Group, name: str, *, exact: bool = False) -> NDArray[Any]:
    """Read an array.

    Args:
        group: where it is.
        name: its path within the group.
        exact: whether numbers of another precision are refused, and not only those that cannot be converted.

    Raises:
        BadArrayError: it is missing, or has another type or number of axes.
        OSError, RuntimeError, ValueError: the file is damaged.
    """
    dataset, kind = check_type(group, name, exact=exact), type_of(name).kind
    return np.asarray(dataset.asstr()[:], dtype=np.str_) if kind == "text" else np.asarray(dataset[:], dtype=kind)


def check_type(group: h5py.Group, name: str, *, exact: bool = False) -> h5py.Dataset:
    """Check the type and the axes of an array, as `read_array` does, without reading it.

    Raises:
        BadArrayError: it is missing, or has another type or number of axes.
        SenselessFileError: it cannot have the size that it announces.
    """
    kind, axes, _ = type_of(name)
    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise BadArrayError("layout", "it is missing")
    text = h5py.check_string_dtype(dataset.dtype) is not None
    given = "text" if text else str(dataset.dtype)
    if given != kind and (exact or text or kind == "text" or not np.can_cast(dataset.dtype, kind, "same_kind")):
        raise BadArrayError("types", f"it holds {given}, but must hold {kind}")
    if dataset.ndim != axes:
        raise BadArrayError("shapes", f"it has {dataset.ndim} axes, but must have {axes}")
    check_array(dataset)
    return dataset
