"""Layout, opening and hashing of a dataset file. It imports little, because every reader of a dataset imports it."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadTextError, SenselessFileError, XanesflowError
from xanesflow.core.hdf5 import check_array, open_hdf5, plain_attributes
from xanesflow.core.sites import Subset
from xanesflow.core.text import quoted

SCHEMA = "xanesflow-dataset"
SCHEMA_VERSION = "1.1"
"""1.1 added hashes, and `corrections` in every subset. A reader accepts any version with the same major number."""

STRUCTURES = "structures"

ABOUT = ("name", "reference", "parent")
"""Attributes of a structure, each only where it is known: its mineral or compound, its publication, and the disordered
crystal that it is a cell of."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_dataset(path: str | Path) -> h5py.File:
    """Open a dataset file for reading.

    Raises:
        XanesflowError: the file is missing, truncated, damaged, not HDF5, not a dataset of xanesflow, or of another
            schema version.
    """
    path = Path(path)
    if path.is_dir():
        raise XanesflowError(f"{path} is a folder; name the dataset file, such as results/dataset/<campaign>.h5.")
    try:
        with path.open("rb") as opened:
            beginning = opened.read(len(_SIGNATURE))
    except OSError as error:
        raise XanesflowError(f"{path} cannot be read: {error.strerror}; name a dataset file.") from None
    if beginning != _SIGNATURE:
        what = "is empty" if not beginning else "is no HDF5 file"
        raise XanesflowError(f"{path} {what}; name a dataset file, such as results/dataset/<campaign>.h5.")
    try:
        file = open_hdf5(path)
    except OSError as error:
        why = what_is_wrong(error)
        what = "is cut short" if "cut short" in why else f"is damaged ({why})"
        raise XanesflowError(f"{path} {what}; copy it or build it again.") from None
    try:
        _check_version(file, path)
    except BaseException:
        file.close()
        raise
    return file


def _check_version(file: h5py.File, path: Path) -> None:
    with report_damage(path):
        schema, version = (str(file.attrs.get(name, "")) for name in ("schema", "schema_version"))
    if schema != SCHEMA:
        says = f"its attribute `schema` is {quoted(schema)}" if schema else "it has no attribute `schema`"
        raise XanesflowError(
            f"{path} is an HDF5 file, but no dataset of xanesflow: {says}, not '{SCHEMA}'; name a dataset file."
        )
    major = SCHEMA_VERSION.split(".", maxsplit=1)[0]
    if version.split(".")[0] != major:
        raise XanesflowError(
            f"{path} has schema version {version or 'none'}, but this xanesflow reads {major}.x; read it with the "
            "version of xanesflow that it names (attribute `versions`), or build it again."
        )


def subset_names(file: h5py.File) -> list[str]:
    """The subsets of an open dataset, sorted."""
    return [name for name in names_in(file) if _parses(name) and file.get(name, getclass=True) is h5py.Group]


def _parses(name: str) -> bool:
    try:
        Subset.parse(name)
    except XanesflowError:
        return False
    return True


def structure_key(file: h5py.File, subset: str, material_id: str) -> str | None:
    """Name of the structure to which a subset's site indices of a material refer; None if the file has none."""
    structures = file.get(STRUCTURES, {})
    return next((key for key in structure_keys(subset, material_id) if key in structures), None)


def structure_keys(subset: str, material_id: str) -> tuple[str, str]:
    """Names that a structure may have, in the order of the search: for this subset alone, then for all subsets."""
    return f"{material_id}@{subset}", material_id


def structure_json(file: h5py.File, subset: str, material_id: str) -> str:
    """The pymatgen JSON of the structure to which a subset's site indices of a material refer.

    Raises:
        XanesflowError: the dataset has no such material.
    """
    key = structure_key(file, subset, material_id)
    if key is None:
        raise XanesflowError(
            f"{Path(file.filename).name} holds no structure of {material_id}; see `xanesflow dataset validate`."
        )
    return text_of(file[STRUCTURES], key)


def text_of(group: h5py.Group, name: str) -> str:
    """A single text of an open file.

    Raises:
        SenselessFileError: it is no single text.
    """
    item = group[name]
    if not isinstance(item, h5py.Dataset) or h5py.check_string_dtype(item.dtype) is None or item.shape != ():
        raise SenselessFileError(f"{group.name.strip('/')}/{name[:80]} is no text")
    return str(item.asstr()[()])


def about_structure(file: h5py.File, key: str) -> dict[str, str]:
    """What is known of a structure besides its atoms: those of `ABOUT` that the file has."""
    attributes = file[STRUCTURES][key].attrs
    return {name: str(attributes[name]) for name in ABOUT if name in attributes}


def about_material(file: h5py.File, subset: str, material_id: str) -> dict[str, str]:
    """What is known of the structure to which a subset's site indices of a material refer; empty if there is none."""
    key = structure_key(file, subset, material_id)
    return {} if key is None else about_structure(file, key)


def attributes_of(item: h5py.File | h5py.Dataset) -> dict[str, Any]:
    """The attributes of a part of the file as plain values that JSON can hold, without the hash of its arrays' values.

    That hash differs between subsets, and models compare the other attributes of features to check that those of
    several subsets were computed in the same way.
    """
    return {name: value for name, value in plain_attributes(item).items() if name != "sha256"}


def datasets_of(group: h5py.Group) -> Iterator[h5py.Dataset]:
    """All HDF5 datasets at any depth below a group, sorted by name."""
    for name in names_in(group):
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from datasets_of(item)
        elif isinstance(item, h5py.Dataset):
            yield item


def hash_of(dataset: h5py.Dataset) -> str:
    """SHA-256 of the values of an HDF5 dataset, independent of its place, chunks and compression in the file.

    For numbers, the hash covers type and shape as numpy writes them (`<f8(3, 141)`), then the values in C order. For
    texts, it covers `str` and the shape, then for each text the number of its UTF-8 bytes in decimal, a colon, and
    the bytes.
    """
    check_array(dataset)
    digest = hashlib.sha256()
    if h5py.check_string_dtype(dataset.dtype) is None:
        digest.update(f"{dataset.dtype.str}{dataset.shape}".encode())
        digest.update(np.ascontiguousarray(dataset[()]).data)
        return digest.hexdigest()
    digest.update(f"str{dataset.shape}".encode())
    for text in np.asarray(dataset[()], dtype=object).ravel():
        digest.update(b"%d:%s" % (len(text), text))
    return digest.hexdigest()


def hash_of_structures(structures: h5py.Group) -> str:
    """SHA-256 of all structures, sorted by name: name and JSON of each, written as `hash_of` writes texts."""
    digest = hashlib.sha256()
    for name in names_in(structures):
        for text in (name.encode(), text_of(structures, name).encode()):
            digest.update(b"%d:%s" % (len(text), text))
    return digest.hexdigest()


def content_hash(hashes: dict[str, str]) -> str:
    """SHA-256 of the lines `<hash>  <path>`, sorted by path. It covers all arrays and structures, but no attributes."""
    return hashlib.sha256("".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes)).encode()).hexdigest()


def seal(file: h5py.File) -> None:
    """Write hashes of everything that a dataset holds, so that silent corruption can be found.

    Each HDF5 dataset of a subset gets an attribute `sha256`. The group of structures gets one for all structures. The
    file gets `content_sha256`, which is equal for any two files with the same content, whenever and wherever they were
    written.
    """
    hashes = {}
    for name in names_in(file):
        if name == STRUCTURES:
            hashes[name] = file[name].attrs["sha256"] = hash_of_structures(file[name])
            continue
        for dataset in datasets_of(file[name]):
            hashes[dataset.name.lstrip("/")] = dataset.attrs["sha256"] = hash_of(dataset)
    file.attrs["content_sha256"] = content_hash(hashes)


@contextmanager
def report_damage(path: str | Path) -> Iterator[None]:
    """Turn an error of HDF5 in a damaged file into a sentence for the user.

    Raises:
        XanesflowError: the file is damaged.
    """
    try:
        yield
    except Exception as error:
        if not of_hdf5(error):
            raise
        raise XanesflowError(
            f"{path} is damaged ({what_is_wrong(error)}); copy it or build it again, or see "
            "`xanesflow dataset validate`."
        ) from error


def of_hdf5(error: Exception) -> bool:
    """Whether an exception is about a file's content: raised within h5py, or by a text or number in it."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    of_content = isinstance(error, (UnicodeDecodeError, SenselessFileError, BadTextError))
    return of_content or "h5py" in Path(innermost.f_code.co_filename).parts


def names_in(group: h5py.Group) -> list[str]:
    """Names in a group, sorted.

    Raises:
        UnicodeDecodeError: a name is not valid UTF-8.
    """
    return sorted(name.decode() if isinstance(name, bytes) else name for name in group)
