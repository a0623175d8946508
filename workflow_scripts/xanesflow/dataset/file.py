"""How a dataset file is laid out, opened and hashed; light, as everything that reads one comes through here."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.core.text import one_line

SCHEMA = "xanesflow-dataset"
SCHEMA_VERSION = "1.1"
"""1.1: hashes, and `corrections` in every subset. A reader takes any version with the same number before the dot."""

STRUCTURES = "structures"
UNITS = {"energy": "eV", "spectra": "bohr^2"}

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_dataset(path: str | Path) -> h5py.File:
    """Open a dataset file to read.

    Raises:
        XanesflowError: it is not there, no HDF5, cut short, damaged, no dataset of xanesflow or one of another
            version.
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
        file = h5py.File(path, "r")
    except OSError as error:
        said = one_line(error)
        what = "is cut short" if "truncated" in said else "is damaged"
        raise XanesflowError(f"{path} {what} ({said}); copy or make it again.") from None
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
        says = f"its attribute `schema` is {schema!r}" if schema else "it has no attribute `schema`"
        raise XanesflowError(f"{path} is an HDF5 file, but no dataset of xanesflow: {says}, not '{SCHEMA}'.")
    major = SCHEMA_VERSION.split(".", maxsplit=1)[0]
    if version.split(".")[0] != major:
        raise XanesflowError(
            f"{path} has schema version {version or 'none'}, and this xanesflow reads {major}.x; read it with the "
            "version of xanesflow that it names (attribute `versions`), or make it again."
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
    """Under which name a material's structure stands that a subset's site indices count in; None: nowhere."""
    structures = file.get(STRUCTURES, {})
    return next((key for key in structure_keys(subset, material_id) if key in structures), None)


def structure_keys(subset: str, material_id: str) -> tuple[str, str]:
    """Names that a structure may stand under, the one that is taken first: of this subset alone, of all."""
    return f"{material_id}@{subset}", material_id


def structure_json(file: h5py.File, subset: str, material_id: str) -> str:
    """The pymatgen JSON of the structure that a subset's site indices of a material count in.

    Raises:
        XanesflowError: the dataset has no such material.
    """
    key = structure_key(file, subset, material_id)
    if key is None:
        raise XanesflowError(f"{Path(file.filename).name} holds no structure of {material_id}.")
    return str(file[STRUCTURES][key].asstr()[()])


def datasets_of(group: h5py.Group) -> Iterator[h5py.Dataset]:
    """All HDF5 datasets at any depth below a group, in the order of their names."""
    for name in names_in(group):
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from datasets_of(item)
        elif isinstance(item, h5py.Dataset):
            yield item


def check_size(dataset: h5py.Dataset) -> None:
    """Check that a file is large enough for what it says of an array, before memory is asked for.

    Raises:
        OSError: it is not by far, so that the shape must be damaged.
    """
    if dataset.size and dataset.size * dataset.dtype.itemsize > 1000 * Path(dataset.file.filename).stat().st_size:
        raise OSError(f"it says to have the shape {dataset.shape}, for which the file is too small")


def hash_of(dataset: h5py.Dataset) -> str:
    """SHA-256 of an HDF5 dataset's values, whatever its place, chunks and compression in the file.

    Of numbers: type and shape as numpy writes them (`<f8(3, 141)`), then the values in C order. Of texts: `str` and
    the shape, then for each the number of its UTF-8 bytes in decimal, a colon, and the bytes.
    """
    check_size(dataset)
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
    """SHA-256 of all structures: of each its name and text, as in `hash_of`, in the order of the names."""
    digest = hashlib.sha256()
    for name in names_in(structures):
        for text in (name.encode(), structures[name][()]):
            digest.update(b"%d:%s" % (len(text), text))
    return digest.hexdigest()


def content_hash(hashes: dict[str, str]) -> str:
    """SHA-256 of the lines `<hash>  <path>` in the order of the paths: what a dataset holds, and no attribute."""
    return hashlib.sha256("".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes)).encode()).hexdigest()


def seal(file: h5py.File) -> None:
    """Write the hashes of all that a dataset holds, by which silent corruption is found.

    Each HDF5 dataset of a subset gets an attribute `sha256`, the group of structures one for them all, and the file
    `content_sha256`, which is the same for two files with the same content, whenever and wherever they were made.
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
    """Tell what HDF5 stumbles over in a damaged file in a sentence.

    Raises:
        XanesflowError: the file is damaged.
    """
    try:
        yield
    except Exception as error:
        if not of_hdf5(error):
            raise
        raise XanesflowError(
            f"{path} is damaged ({one_line(error)}); copy or make it again, or see `xanesflow dataset validate`."
        ) from None


def of_hdf5(error: Exception) -> bool:
    """Whether an exception comes from within h5py, or from texts in the file that are none."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return isinstance(error, UnicodeDecodeError) or "h5py" in Path(innermost.f_code.co_filename).parts


def names_in(group: h5py.Group) -> list[str]:
    """Names in a group, sorted.

    Raises:
        UnicodeDecodeError: one is no text.
    """
    return sorted(name.decode() if isinstance(name, bytes) else name for name in group)
