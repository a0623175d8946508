"""Validate a dataset file: layout, units, numbers, sites, split, hashes. Each fault is reported in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from xanesflow.core.arrays import ARRAYS
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadTextError
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.hdf5 import plain_attributes
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import PARTS, parent_of, site_id
from xanesflow.core.text import first_of, plural, quoted
from xanesflow.dataset.check.contents import COLUMNS, FileContents, SubsetContents, read_contents
from xanesflow.dataset.check.findings import CHECKS, Finding, Validation
from xanesflow.dataset.check.near_duplicates import near_duplicates
from xanesflow.dataset.check.validate_structures import check_structures, check_symmetry
from xanesflow.dataset.file import (
    SCHEMA_VERSION,
    STRUCTURES,
    content_hash,
    datasets_of,
    hash_of,
    hash_of_structures,
    names_in,
    of_hdf5,
    open_dataset,
)

EDGE_WINDOW_EV = 100.0
"""The first energy of a grid lies within this of the element's K edge; the edges of two elements are 400 eV apart."""

EVEN_EV = 0.005
"""Largest difference between two steps of a grid; grids from other sources may be rounded."""

HEIGHT_FACTOR = 3.0
"""A K edge is about 1/Z² bohr² high, and the mean spectrum may differ from that by this factor. In the published
subsets (eight elements, two codes), the maximum of the mean spectrum is 0.94 to 1.42 times 1/Z², and no spectrum
exceeds 3.2 times."""

Sentence = tuple[str, str] | tuple[str, str, bool]
"""What a check yields: the place, what is wrong there, and False if that is no fault."""

ROOT_ATTRIBUTES = ("title", "creator", "licence", "citation", "created", "versions", "config", "inputs_sha256")


def validate(path: str | Path, *, symmetry: bool = False, progress: Callable[[str], None] | None = None) -> Validation:
    """Check a dataset file.

    Args:
        path: the file.
        symmetry: whether to determine the symmetry of each structure again and compare multiplicities (some
            milliseconds for each structure).
        progress: called with a description of the next step; a dataset as large as the paper's takes minutes.

    Raises:
        XanesflowError: the file cannot be opened as a dataset: it is missing, truncated, not HDF5, or of another
            schema version.
    """
    found = Validation(Path(path))
    with open_dataset(path) as file, _damage_found(found):
        _validate(file, found, progress or (lambda _: None), symmetry=symmetry)
    order = list(CHECKS)
    found.findings.sort(key=lambda each: (order.index(each.check), not each.fault))  # stable: subsets keep their order
    return found


def _validate(file: h5py.File, found: Validation, progress: Callable[[str], None], *, symmetry: bool) -> None:
    # Read everything first; the checks below only look at what could be read.
    progress("all arrays and structures")
    contents = read_contents(file)
    subsets = contents.subsets.values()
    spectra = plural(sum(map(len, subsets)), "spectrum", "spectra")
    structures = plural(len(contents.structures), "structure")
    found.looked_at = dict.fromkeys(CHECKS, spectra) | {
        "layout": f"schema version {contents.version}, {plural(len(subsets), 'subset')}",
        "provenance": "the file's attributes",
        "structures": structures + (", their symmetry determined again" if symmetry else ""),
        "near duplicates": structures,
    }
    found.findings += contents.findings

    # List the checks as generators, so that each one runs only when its findings are collected below.
    made: list[tuple[str, Iterator[Finding]]] = [
        (f"numbers of {subset.name}", _named(check, sentences(subset)))
        for subset in subsets
        for check, sentences in _OF_SUBSET.items()
    ]
    made += [("splits", _named("split", _split_across(contents))), (structures, check_structures(contents))]
    if symmetry:
        made.append((f"symmetry of {structures}", check_symmetry(contents)))
    made += [
        ("provenance", _named("provenance", _provenance(file, contents))),
        ("hashes", _named("hashes", _hashes(file, contents, found))),
        (f"near duplicates among {structures}", near_duplicates(contents)),
    ]

    # Run the checks. Damage that HDF5 only notices now becomes a finding, and the next check still runs.
    last = ""
    for what, findings in made:
        if what != last:
            progress(what)
            last = what
        with _damage_found(found):
            found.findings += findings


def _named(check: str, sentences: Iterator[Sentence]) -> Iterator[Finding]:
    """The findings of a check that yields places and sentences, and a third value False for remarks."""
    for place, sentence, *fault in sentences:
        yield Finding(check, place, sentence, *fault)


@contextmanager
def _damage_found(found: Validation) -> Iterator[None]:
    """Turn an error of HDF5 in a damaged file into a finding."""
    try:
        yield
    except Exception as error:
        if not of_hdf5(error):
            raise
        found.looked_at.setdefault("layout", "as far as the file can be read")
        found.findings.append(Finding("layout", "", f"the file is damaged ({what_is_wrong(error)})"))


def _units(subset: SubsetContents) -> Iterator[Sentence]:
    for name in COLUMNS:
        unit = ARRAYS[name].units
        if unit and name in subset.group:
            given = subset.group[name].attrs.get("units")
            if str(given) != unit:
                says = (
                    f"its attribute `units` is {quoted(given)}" if given is not None else "it has no attribute `units`"
                )
                yield f"{subset.name}/{name}", f"{says}, but must be '{unit}'"


def _energies(subset: SubsetContents) -> Iterator[Sentence]:
    energy, place = subset.arrays.get("energy"), f"{subset.name}/energy"
    if energy is None:
        return
    if len(energy) < 2:
        yield place, f"the grid has {plural(len(energy), 'point')}"
        return
    if not np.isfinite(energy).all():
        yield place, f"number {_first(~np.isfinite(energy))} is not finite"
        return
    steps = np.diff(energy)
    if (steps <= 0).any():
        at = _first(steps <= 0) + 1
        yield place, f"number {at} ({energy[at]:.3f} eV) is not above the one before it ({energy[at - 1]:.3f} eV)"
    elif np.ptp(steps) > EVEN_EV:
        yield place, f"the steps are not even: {steps.min():.6f} to {steps.max():.6f} eV"
    edge, _ = _k_edge(subset.element)
    if abs(energy[0] - edge) > EDGE_WINDOW_EV:
        yield place, f"the grid begins at {energy[0]:.1f} eV, but the K edge of {subset.element} is at {edge:.1f} eV"


def _numbers(subset: SubsetContents) -> Iterator[Sentence]:
    for name, values in subset.arrays.items():
        if name == "spectra" or name.startswith("features/"):
            bad = ~np.isfinite(values).all(axis=1)
            if bad.any():
                yield (
                    f"{subset.name}/{name}",
                    f"{plural(bad.sum(), 'row holds', 'rows hold')} NaN or infinite values: {subset.named(bad)}",
                )


def _range(subset: SubsetContents) -> Iterator[Sentence]:
    spectra, place = subset.arrays.get("spectra"), f"{subset.name}/spectra"
    if spectra is None or not len(spectra) or not np.isfinite(spectra).all():
        return
    _, number = _k_edge(subset.element)
    usual, height = 1 / number**2, float(spectra.mean(axis=0).max())
    usually_high = 1 / HEIGHT_FACTOR <= height / usual <= HEIGHT_FACTOR
    for wrong, what in (
        ((spectra < 0).any(axis=1), "negative somewhere"),
        ((spectra == 0).all(axis=1), "zero everywhere"),
        ((spectra.max(axis=1) > 10 * usual) & usually_high, "over ten times as high as a K edge"),
    ):
        if wrong.any():
            yield place, f"{plural(wrong.sum(), 'spectrum is', 'spectra are')} {what}: {subset.named(wrong)}"
    if not usually_high:
        yield (
            place,
            f"the mean spectrum is up to {height:.3g} bohr² high, but the K edge of {subset.element} is about "
            f"{usual:.2g} bohr² high; are they in another unit, or scaled?",
        )
    _, first, counts = np.unique(spectra, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        copied = np.isin(np.arange(len(spectra)), first[counts > 1])
        yield (
            place,
            f"{plural(counts.sum() - len(counts), 'copy', 'copies')} of other spectra: {subset.named(copied)}",
            False,
        )


def _sites(subset: SubsetContents) -> Iterator[Sentence]:
    for name, is_bad, says in (
        ("material_id", lambda values: values == "", "row {row} has no material id"),
        ("site_index", lambda values: values < 0, "row {row} has the site index {value}"),
        ("multiplicity", lambda values: values < 1, "{id} has multiplicity {value}"),
    ):
        values = subset.arrays.get(name)
        if values is not None and is_bad(values).any():
            row = _first(is_bad(values))
            yield f"{subset.name}/{name}", says.format(row=row, value=values[row], id=subset.id_of(row))
    twice = [site_id(*site) for site, number in Counter(subset.sites).items() if number > 1]
    if twice:
        yield subset.name, f"sites are listed more than once: {first_of(twice)}"


def _split(subset: SubsetContents) -> Iterator[Sentence]:
    split, materials = subset.arrays.get("split"), subset.arrays.get("material_id")
    if split is None or materials is None or len(split) != len(materials):
        return
    place = f"{subset.name}/split"
    for part in sorted(set(split.tolist()) - set(PARTS)):
        yield place, f"'{part}' is no part of a split; the parts are {', '.join(PARTS)}"
    parts: dict[str, set[str]] = {}
    for material, of_material in subset.parts_of_material().items():
        parts.setdefault(parent_of(material), set()).update(of_material)
    leaked = [f"{m} ({', '.join(sorted(p))})" for m, p in parts.items() if len(p) > 1]
    if leaked:
        yield place, f"materials are in more than one part: {first_of(leaked)}"
    sizes = Counter(split.tolist())
    for part, least in (("train", 2), ("val", 1)):
        if sizes[part] < least:
            yield place, f"the part {part} has {sizes[part]} sites; a model needs at least {least}"
    if not sizes["test"]:
        yield place, "the part test is empty", False


def _split_across(contents: FileContents) -> Iterator[Sentence]:
    """Yield a remark if a material in test of one subset is in train of another: a universal model has seen it."""
    parts = {name: subset.parts_of_material() for name, subset in contents.subsets.items()}
    of_part = {
        part: {name: {m for m, found in of.items() if part in found} for name, of in parts.items()} for part in PARTS
    }
    for name, tested in of_part["test"].items():
        shared = {other: len(tested & materials) for other, materials in of_part["train"].items() if other != name}
        if any(shared.values()):
            by = ", ".join(f"{number} in {other}" for other, number in shared.items() if number)
            yield (
                name,
                f"materials in test are in train of another subset ({by}; {len(tested)} are in test), so a model of "
                "all subsets has seen their other absorbers",
                False,
            )


def _rejected(subset: SubsetContents) -> Iterator[Sentence]:
    place, columns = f"{subset.name}/rejected", subset.rejected
    if columns is None:
        return
    reasons = columns["reason"].tolist()
    if unknown := sorted(set(reasons) - set(REASONS)):
        yield place, f"{quoted(unknown[0])} is no known reason"
    rows = zip(columns["material_id"].tolist(), columns["site_index"].tolist(), reasons, strict=True)
    left_out = {(material, index) for material, index, reason in rows if reason != "duplicate"}  # its first run is in
    if both := sorted(left_out & set(subset.sites)):
        yield place, f"sites are both in the dataset and left out: {first_of([site_id(*site) for site in both])}"
    counted = {"kept": len(subset), **Counter(reasons)}
    try:
        said = parse_object(str(subset.group.attrs["counts"]))
    except (KeyError, ValueError):
        yield subset.name, "its attribute `counts` is missing or no JSON"
        return
    if said != counted:
        key = next(key for key in [*said, *counted] if said.get(key) != counted.get(key))
        yield (
            subset.name,
            f"its attribute `counts` says {said.get(key, 0)} {key}, but there are {counted.get(key, 0)}",
        )


_OF_SUBSET: dict[str, Callable[[SubsetContents], Iterator[Sentence]]] = {
    "units": _units, "energies": _energies, "numbers": _numbers, "range": _range, "sites": _sites, "split": _split,
    "rejected": _rejected,
}  # fmt: skip


def _provenance(file: h5py.File, contents: FileContents) -> Iterator[Sentence]:
    for name in ROOT_ATTRIBUTES:
        if not str(file.attrs.get(name, "")):
            yield "", f"the attribute `{name}` is missing or empty"
    readers: dict[str, Callable[[str], Any]] = {
        "created": datetime.fromisoformat,
        **dict.fromkeys(("versions", "config", "inputs_sha256"), parse_object),
    }  # fmt: skip
    for name, read in readers.items():
        try:
            if name in file.attrs:
                read(str(file.attrs[name]))
        except ValueError as error:
            why = str(error) if isinstance(error, BadTextError) else "is no time"
            yield "", f"the attribute `{name}` cannot be read: it {why}"
    for subset in contents.subsets.values():
        for name in subset.arrays:
            for attribute in ("weights_hash", "meaning") if name.startswith("features/") else ():
                if attribute not in subset.group[name].attrs:
                    yield f"{subset.name}/{name}", f"it has no attribute `{attribute}`"


def _hashes(file: h5py.File, contents: FileContents, found: Validation) -> Iterator[Sentence]:
    if contents.version == "1.0" and "content_sha256" not in file.attrs:
        found.looked_at["hashes"] = "nothing"
        yield "", f"no hashes are stored: the file has schema version 1.0, not {SCHEMA_VERSION}", False
        return
    hashes: dict[str, str] = {}
    for name in names_in(file):
        items = [file[name]] if name == STRUCTURES else datasets_of(file[name]) if name in contents.subsets else []
        for item in items:
            place = item.name.lstrip("/")
            try:
                actual = hash_of_structures(item) if isinstance(item, h5py.Group) else hash_of(item)
            except (OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
                yield place, f"it cannot be read ({what_is_wrong(error)})"
                continue
            stored = plain_attributes(item).get("sha256")
            hashes[place] = actual
            if stored is None:
                yield place, "it has no attribute `sha256`"
            elif stored != actual:
                yield place, "its values are not those that were written: its SHA-256 differs"
    found.looked_at["hashes"] = f"{plural(len(hashes), 'array')} (all structures count as one)"
    if str(file.attrs.get("content_sha256")) != content_hash(hashes):
        yield "", "the content is not what was written: `content_sha256` differs"


@cache
def _k_edge(element: str) -> tuple[float, int]:
    """Energy of the K edge of the free element in eV, right to some eV, and the atomic number."""
    import xraydb  # the import opens a database

    return float(xraydb.xray_edge(element, "K").energy), int(xraydb.atomic_number(element))


def _first(wrong: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(wrong)[0])
