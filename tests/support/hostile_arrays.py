"""HDF5, npz and safetensors files that no honest program writes."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from hostile_texts import nested

HUGE = 200_000_000
"""Rows that are announced and never written."""


def places_of(path: Path) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Groups, arrays and attributes of an HDF5 file, each by its path (and name)."""
    groups, arrays, attributes = [""], [], []
    with h5py.File(path) as file:
        attributes += [("/", name) for name in file.attrs]

        def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if name.startswith("structures/") and len([each for each in arrays if each.startswith("structures/")]) > 1:
                return
            (groups if isinstance(item, h5py.Group) else arrays).append(name)
            attributes.extend((name, each) for each in item.attrs)

        file.visititems(visit)
    return groups, arrays, attributes


def _instead(name: str, put: Callable[[h5py.File], object]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        put(file)

    return change


def _replace(name: str, **given: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, **given).attrs.update(attributes)

    return change


def changes_of_arrays(name: str, old: h5py.Dataset) -> Iterator[tuple[str, Callable[[h5py.File], None]]]:
    """Everything that may stand where an array is expected."""
    shape, real = old.shape, np.dtype("f8")
    rows = (HUGE, *shape[1:]) if shape else (HUGE,)
    yield (
        "200,000,000 rows never written",
        _replace(name, shape=rows, dtype=old.dtype, chunks=(1000, *shape[1:]) if shape else (1000,)),
    )
    yield (
        "200,000,000 rows compressed",
        _replace(name, shape=rows, dtype="f8", chunks=(1000, *shape[1:]) if shape else (1000,), compression="gzip"),
    )
    yield "a size beyond 64 bits", _replace(name, shape=(2**40, 2**20), dtype="f8", chunks=(1, 2**10))
    yield (
        "variable lengths",
        _replace(name, data=np.array([np.arange(3.0), np.arange(2.0)], dtype=object), dtype=h5py.vlen_dtype(real)),
    )
    yield "texts", _replace(name, data=["a", "nan", "\x1b[2J"], dtype=h5py.string_dtype())
    yield "bytes that are no text", _replace(name, data=[b"\xff\xfe", b"\xc3("], dtype=h5py.string_dtype())
    yield "records", _replace(name, data=np.zeros(3, dtype=[("a", "f8"), ("b", "i4")]))
    yield "complex numbers", _replace(name, data=np.full(shape, 1j) if shape else np.array(1j))
    yield "truth values", _replace(name, data=np.full(shape, True))
    yield "nothing", _replace(name, data=h5py.Empty("f8"))
    yield "no rows", _replace(name, data=np.zeros((0, *shape[1:])))
    yield "a number", _replace(name, data=7.0)
    yield "more axes", _replace(name, data=np.zeros((*shape, 1)))
    yield "one row more", _replace(name, data=np.zeros((shape[0] + 1, *shape[1:])) if shape else 1.0)
    yield "huge numbers", _replace(name, data=np.full(shape, 1.7e308))
    yield "no numbers", _replace(name, data=np.full(shape, np.nan))
    yield "negative numbers", _replace(name, data=np.full(shape, -(2**62)))
    yield (
        "references",
        _instead(name, lambda file: file.create_dataset(name, data=[file.ref] * 3, dtype=h5py.ref_dtype)),
    )
    yield "a group", _instead(name, lambda file: file.create_group(name))
    yield "nothing at all", _instead(name, lambda _: None)
    for said, link in {
        "a file elsewhere": h5py.ExternalLink("/proc/self/environ", "/a"),
        "a fifo elsewhere": h5py.ExternalLink("fifo", "/a"),
        "itself": h5py.SoftLink(f"/{name}"),
    }.items():
        yield said, _instead(name, lambda file, link=link: file.__setitem__(name, link))
    passwords = {"shape": (100,), "dtype": "u1", "external": [("/etc/passwd", 0, 100)]}
    yield "bytes of another file", _instead(name, lambda file: file.create_dataset(name, **passwords))


def changes_of_groups(name: str) -> Iterator[tuple[str, Callable[[h5py.File], None]]]:
    """Groups that contain themselves, or are deep, or have names that harm."""

    def add(key: str, item: object) -> Callable[[h5py.File], None]:
        return lambda file: file[name or "/"].__setitem__(key, file[name or "/"] if item is None else item)

    yield "contains itself", add("Fe_FEFF", None)
    yield "a link to itself", add("Fe_FEFF", h5py.SoftLink("/" + name))
    yield "a link to nothing", add("Fe_FEFF", h5py.SoftLink("/nowhere"))
    yield "a link to a link to itself", add("Fe_FEFF", h5py.SoftLink(f"/{name}/Fe_FEFF"))
    yield "a file elsewhere", add("Fe_FEFF", h5py.ExternalLink("fifo", "/a"))
    yield "deep groups", lambda file: _deep(file[name or "/"], 3000)
    yield "10,000 groups", lambda file: [file.create_group(f"{name}/g{n}") for n in range(10_000)]
    yield "a name of controls", lambda file: file.create_group(f"{name}/\x1b[2J")
    yield "a name of a million letters", lambda file: file.create_group(f"{name}/" + "x" * 60_000)
    yield "a name that is no text", lambda file: h5py.h5g.create(file[name or "/"].id, b"\xff\xfe")
    yield "a named type", add("Fe_FEFF", np.dtype("f8"))


def _deep(group: h5py.Group, depth: int) -> None:
    for _ in range(depth):
        group = group.create_group("Fe_FEFF")


def changes_of_attributes(name: str, key: str) -> Iterator[tuple[str, Callable[[h5py.File], None]]]:
    """Everything that may stand where a text or a number is expected."""
    values = {
        "nested lists": nested(depth=60_000 // 2),
        "nested objects": nested('{"a":', "}", 10_000),
        "a number": 7,
        "no number": np.nan,
        "a list": [1, 2, 3],
        "an empty list": np.zeros(0),
        "nothing": h5py.Empty("f8"),
        "bytes": np.void(b"\xff\xfe"),
        "no JSON": "{",
        "JSON of a list": "[1]",
        "JSON of null": "null",
        "JSON of a text": '"x"',
        "JSON of other keys": '{"a": {"b": [1]}}',
        "JSON of numbers": '{"a": 1e999}',
        "controls": "\x1b[2J\x07\r=cmd|x",
        "60 kB": "x" * 60_000,
        "records": np.zeros(1, dtype=[("a", "f8")]),
        "digits": "9" * 60_000,
    }
    for said, value in values.items():
        yield said, lambda file, value=value: file[name].attrs.__setitem__(key, value)
    yield "nothing at all", lambda file: file[name].attrs.__delitem__(key)
    yield "no text", lambda file: _bad_text(file[name].attrs, key)


def _bad_text(attributes: h5py.AttributeManager, key: str) -> None:
    attributes.create(key, b"\xff\xfe", dtype=h5py.string_dtype("utf-8", 2))


def all_changes(path: Path) -> list[tuple[str, Callable[[h5py.File], None]]]:
    """Every change of every part of an HDF5 file."""
    groups, arrays, attributes = places_of(path)
    found = [(f"{name or '/'}: {said}", change) for name in groups for said, change in changes_of_groups(name)]
    with h5py.File(path) as file:
        for name in arrays:
            found += [(f"{name}: {said}", change) for said, change in changes_of_arrays(name, file[name])]
    for name, key in attributes:
        found += [(f"{name} {key}: {said}", change) for said, change in changes_of_attributes(name, key)]
    return found


def hostile_hdf5(good: Path, folder: Path, count: int, seed: int) -> Iterator[tuple[str, Path]]:
    """Copies of a good file with one change each, chosen by chance among all; and damaged ones."""
    chance, content, path = random.Random(seed), good.read_bytes(), folder / good.name
    found = all_changes(good)
    for said, change in chance.sample(found, min(count, len(found))):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        try:
            with h5py.File(path, "r+") as file:
                change(file)
        except (ValueError, TypeError, OSError, KeyError, RuntimeError, OverflowError):
            continue  # this change is none for this part
        yield said, path
    path.unlink(missing_ok=True)


def damaged_bytes(content: bytes, count: int, seed: int, *, ends: int = 4096) -> Iterator[bytes]:
    """Copies with bytes changed near the start, or anywhere, or cut."""
    chance = random.Random(seed)
    for number in range(count):
        data = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(min(len(data), ends) if number % 2 else len(data))
            data[at] = chance.choice((0, 255, 127, 128, data[at] ^ 1 << chance.randrange(8)))
        yield bytes(data[: chance.randrange(len(data))] if number % 8 == 7 else data)


def npy(header: str, content: bytes = b"") -> bytes:
    """An array whose header says anything."""
    text = header.encode("latin-1", "replace")
    text += b" " * (63 - (len(text) + 12) % 64) + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + content


def _header(shape: str = "(3,)", descr: str = "'<f8'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def hostile_npy() -> Iterator[tuple[str, bytes]]:
    """Arrays whose headers lie, or nest, or run code."""

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, ("touch ../run-by-a-pickle",)

    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    yield "a pickle", buffer.getvalue()
    for said, header in {
        "10^10 rows": _header("(10000000000,)"),
        "10^30 rows": _header(f"({10**30},)"),
        "negative rows": _header("(-3,)"),
        "10^5 axes": _header("(" + "1," * 100_000 + ")"),
        "a shape of texts": _header("('a',)"),
        "rows of True": _header("(True,)"),
        "a type nested deep": _header(descr="[('a', " * 90 + "'<f8'" + ")]" * 90),
        "an expression": _header("(" + "-" * 5000 + "1,)"),
        "calls": _header("(__import__('os').system('touch ../run'),)"),
        "brackets": nested("(", ")", 5000),
        "braces": nested("{", "}", 200),
        "no dictionary": "[1]",
        "a text of 10^9 letters": _header(descr="'<U999999999'"),
        "no such type": _header(descr="'<q9'"),
        "objects": _header(descr="'|O'"),
        "dates": _header(descr="'<M8[s]'"),
        "nothing": "",
        "a fraction": _header("(1.5,)"),
        "other keys": "{'a': 1}",
        "a list order": _header(order="[]"),
        "empty type": _header(descr="''"),
        "records": _header(descr="[('a','<f8')]"),
    }.items():
        yield said, npy(header, bytes(24))
    yield "a header that ends", b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{"
    yield "a version", b"\x93NUMPY\x09\x00abc"
    yield "no array", b"hello"


def hostile_npz(good: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Copies of a good npz file with one array exchanged, and archives that lie."""
    path = folder / good.name
    with zipfile.ZipFile(good) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    for name in members:
        for said, content in hostile_npy():
            _zip(path, members | {name: content})
            yield f"{name}: {said}", path
        for said, value in {
            "nan": np.full(5, np.nan),
            "texts": np.array(["a", "\x1b[2J"]),
            "no rows": np.zeros(0),
            "a number": np.array(1.0),
            "bytes": np.array([b"\xff"]),
            "huge": np.full((3, 141), 1e308),
            "complex": np.full((3, 2), 1j),
            "one axis more": np.zeros((2, 3, 4)),
            "ids": np.array(["mp-1_000"] * 3),
        }.items():
            buffer = io.BytesIO()
            np.save(buffer, value)
            _zip(path, members | {name: buffer.getvalue()})
            yield f"{name}: {said}", path
        _zip(path, {key: value for key, value in members.items() if key != name})
        yield f"without {name}", path
    _zip(path, {f"{n}.npy": b"" for n in range(20_000)})
    yield "20,000 arrays", path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in members:
            packed.writestr(name, npy(_header("(134217728,)")) + bytes(2**27))
    yield "zeros without end", path


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)


def hostile_safetensors(good: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Copies of a good checkpoint whose header lies."""
    content, path = good.read_bytes(), folder / good.name
    (length,) = struct.unpack("<Q", content[:8])
    header, arrays = json.loads(content[8 : 8 + length]), content[8 + length :]

    def write(changed: object, data: bytes = arrays) -> Path:
        text = (changed if isinstance(changed, str) else json.dumps(changed)).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        return path

    said = header["__metadata__"]
    for key in said:
        for name, value in {
            "nested lists": nested(),
            "a list": "[1]",
            "null": "null",
            "a number": "-1",
            "a text": '"x\x1b[2J"',
            "no JSON": "{",
            "an object": '{"a": 1}',
            "nan": "NaN",
            "10^30": str(10**30),
            "digits": "9" * 10_000,
        }.items():
            yield f"{key}: {name}", write(header | {"__metadata__": said | {key: value}})
        yield f"without {key}", write(header | {"__metadata__": {k: v for k, v in said.items() if k != key}})
    for key in header:
        if key == "__metadata__":
            continue
        entry = header[key]
        size = entry["data_offsets"][1] - entry["data_offsets"][0]
        yield f"without {key}", write({k: v for k, v in header.items() if k != key})
        yield f"{key} with a huge shape", write(header | {key: entry | {"shape": [2**60, 2**60]}})
        yield (
            f"{key} flat",
            write(header | {key: entry | {"shape": [1, size // 4 if entry["dtype"] == "F32" else size // 8]}}),
        )
        yield f"{key} as bytes", write(header | {key: entry | {"dtype": "U8", "shape": [size]}})
        yield f"{key} without end", write(header | {key: entry | {"data_offsets": [0, 2**62], "shape": [2**60]}})
        begin, end = entry["data_offsets"]
        wrong = np.full((end - begin) // 4, np.nan, dtype="<f4").tobytes()
        yield f"{key} of nan", write(header, arrays[:begin] + wrong + arrays[begin + len(wrong) :])
    yield "a header of 2^60 bytes", _written(path, struct.pack("<Q", 2**60) + content[8:])
    yield "a header nested deep", write(nested())
    yield "a pickle", _written(path, b"\x80\x04cos\nsystem\n(S'touch ../run-by-a-pickle'\ntR.")
    yield "nothing", _written(path, b"")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
