"""Validate a dataset file: layout, units, numbers, sites, split, hashes. Each fault is reported in a sentence."""

from __future__ import annotations

import json
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

from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import PARTS, parent_of, site_id
from xanesflow.core.text import first_of, one_line
from xanesflow.dataset.check.contents import FileContents, SubsetContents, read_contents
from xanesflow.dataset.check.findings import CHECKS, Finding, Validation
from xanesflow.dataset.check.near_duplicates import near_duplicates
from xanesflow.dataset.check.validate_structures import check_structures, check_symmetry
from xanesflow.dataset.file import (
    SCHEMA_VERSION,
    STRUCTURES,
    UNITS,
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
    spectra = f"{sum(map(len, subsets)):,} spectra"
    structures = f"{len(contents.structures):,} structures"
    found.looked_at = dict.fromkeys(CHECKS, spectra) | {
        "layout": f"schema version {contents.version}, {len(subsets)} subsets",
        "provenance": "the file's attributes",
        "structures": structures + (", their symmetry determined again" if symmetry else ""),
        "near duplicates": structures,
    }
    found.findings += contents.findings

    # List the checks as generators, so that each one runs only when its findings are collected below.
    made: list[tuple[str, Iterator[Finding]]] = [
        (f"numbers of {subset.name}", check(subset))
        for subset in subsets
        for check in (_units, _energies, _numbers, _range, _sites, _split, _rejected)
    ]
    made += [("splits", _split_across(contents)), (structures, check_structures(contents))]
    if symmetry:
        made.append((f"symmetry of {structures}", check_symmetry(contents)))
    made += [
        ("provenance", _provenance(file, contents)),
        ("hashes", _hashes(file, contents, found)),
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


@contextmanager
def _damage_found(found: Validation) -> Iterator[None]:
    """Turn an error of HDF5 in a damaged file into a finding."""
    try:
        yield
    except Exception as error:
        if not of_hdf5(error):
            raise
        found.looked_at.setdefault("layout", "as far as the file can be read")
        found.findings.append(Finding("layout", "", f"the file is damaged ({one_line(error)})"))


def _units(subset: SubsetContents) -> Iterator[Finding]:
    for name, unit in UNITS.items():
        if name in subset.group:
            given = subset.group[name].attrs.get("units")
            if given != unit:
                says = f"its attribute `units` is '{given}'" if given is not None else "it has no attribute `units`"
                yield Finding("units", f"{subset.name}/{name}", f"{says}, but must be '{unit}'")


def _energies(subset: SubsetContents) -> Iterator[Finding]:
    energy, place = subset.arrays.get("energy"), f"{subset.name}/energy"
    if energy is None:
        return
    if len(energy) < 2:
        yield Finding("energies", place, f"the grid has {len(energy)} points")
        return
    if not np.isfinite(energy).all():
        yield Finding("energies", place, f"number {_first(~np.isfinite(energy))} is not finite")
        return
    steps = np.diff(energy)
    if (steps <= 0).any():
        at = _first(steps <= 0) + 1
        yield Finding(
            "energies",
            place,
            f"number {at} ({energy[at]:.3f} eV) is not above the one before it ({energy[at - 1]:.3f} eV)",
        )
    elif np.ptp(steps) > EVEN_EV:
        yield Finding("energies", place, f"the steps are not even: {steps.min():.6f} to {steps.max():.6f} eV")
    edge, _ = _k_edge(subset.element)
    if abs(energy[0] - edge) > EDGE_WINDOW_EV:
        yield Finding(
            "energies",
            place,
            f"the grid begins at {energy[0]:.1f} eV, but the K edge of {subset.element} is at {edge:.1f} eV",
        )


def _numbers(subset: SubsetContents) -> Iterator[Finding]:
    for name, values in subset.arrays.items():
        if name == "spectra" or name.startswith("features/"):
            bad = ~np.isfinite(values).all(axis=1)
            if bad.any():
                ids = first_of([subset.id_of(row) for row in np.flatnonzero(bad)[:6].tolist()])
                yield Finding(
                    "numbers", f"{subset.name}/{name}", f"{int(bad.sum())} rows hold NaN or infinite values: {ids}"
                )


def _range(subset: SubsetContents) -> Iterator[Finding]:
    spectra, place = subset.arrays.get("spectra"), f"{subset.name}/spectra"
    if spectra is None or not len(spectra) or not np.isfinite(spectra).all():
        return
    for wrong, what in (
        ((spectra < 0).any(axis=1), "are negative somewhere"),
        ((spectra == 0).all(axis=1), "are zero everywhere"),
    ):
        if wrong.any():
            ids = first_of([subset.id_of(row) for row in np.flatnonzero(wrong).tolist()])
            yield Finding("range", place, f"{int(wrong.sum())} spectra {what}: {ids}")
    _, number = _k_edge(subset.element)
    usual, height = 1 / number**2, float(spectra.mean(axis=0).max())
    if not 1 / HEIGHT_FACTOR <= height / usual <= HEIGHT_FACTOR:
        yield Finding(
            "range",
            place,
            f"the mean spectrum is up to {height:.3g} bohr² high, but the K edge of {subset.element} is about "
            f"{usual:.2g} bohr² high; are they in another unit, or scaled?",
        )
    else:
        high = spectra.max(axis=1) > 10 * usual
        if high.any():
            ids = first_of([subset.id_of(row) for row in np.flatnonzero(high).tolist()])
            yield Finding("range", place, f"{int(high.sum())} spectra are over ten times as high as a K edge: {ids}")
    _, first, counts = np.unique(spectra, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        ids = first_of([subset.id_of(row) for row in first[counts > 1].tolist()])
        yield Finding(
            "range", place, f"{int(counts.sum() - len(counts))} spectra are copies of others: {ids}", fault=False
        )


def _sites(subset: SubsetContents) -> Iterator[Finding]:
    materials, sites = subset.arrays.get("material_id"), subset.arrays.get("site_index")
    if materials is not None and (materials == "").any():
        yield Finding("sites", f"{subset.name}/material_id", f"row {_first(materials == '')} has no material id")
    if sites is not None and (sites < 0).any():
        row = _first(sites < 0)
        yield Finding("sites", f"{subset.name}/site_index", f"row {row} has the site index {sites[row]}")
    if (counts := subset.arrays.get("multiplicity")) is not None and (counts < 1).any():
        row = _first(counts < 1)
        yield Finding("sites", f"{subset.name}/multiplicity", f"{subset.id_of(row)} has multiplicity {counts[row]}")
    twice = [name for name, number in Counter(subset.sites).items() if number > 1]
    if twice:
        yield Finding(
            "sites", subset.name, f"sites are listed more than once: {first_of([site_id(*site) for site in twice])}"
        )


def _split(subset: SubsetContents) -> Iterator[Finding]:
    split, materials = subset.arrays.get("split"), subset.arrays.get("material_id")
    if split is None or materials is None or len(split) != len(materials):
        return
    place = f"{subset.name}/split"
    for part in sorted(set(split.tolist()) - set(PARTS)):
        yield Finding("split", place, f"'{part}' is no part of a split; the parts are {', '.join(PARTS)}")
    parts: dict[str, set[str]] = {}
    for material, of_material in subset.parts_of_material().items():
        parts.setdefault(parent_of(material), set()).update(of_material)
    leaked = [f"{m} ({', '.join(sorted(p))})" for m, p in parts.items() if len(p) > 1]
    if leaked:
        yield Finding("split", place, f"materials are in more than one part: {first_of(leaked)}")
    sizes = Counter(split.tolist())
    for part, least in (("train", 2), ("val", 1)):
        if sizes[part] < least:
            yield Finding("split", place, f"the part {part} has {sizes[part]} sites; a model needs at least {least}")
    if not sizes["test"]:
        yield Finding("split", place, "the part test is empty", fault=False)


def _split_across(contents: FileContents) -> Iterator[Finding]:
    """Yield a remark if a material in test of one subset is in train of another: a universal model has seen it."""
    training = {
        name: {m for m, parts in subset.parts_of_material().items() if "train" in parts}
        for name, subset in contents.subsets.items()
    }
    for name, subset in contents.subsets.items():
        tested = {m for m, parts in subset.parts_of_material().items() if "test" in parts}
        shared = {other: len(tested & materials) for other, materials in training.items() if other != name}
        if any(shared.values()):
            by = ", ".join(f"{number} in {other}" for other, number in shared.items() if number)
            yield Finding(
                "split",
                name,
                f"materials in test are in train of another subset ({by}; {len(tested)} are in test), so a model of "
                "all subsets has seen their other absorbers",
                fault=False,
            )


def _rejected(subset: SubsetContents) -> Iterator[Finding]:
    place, columns = f"{subset.name}/rejected", subset.rejected
    if columns is None:
        return
    reasons = columns["reason"].tolist()
    if unknown := sorted(set(reasons) - set(REASONS)):
        yield Finding("rejected", place, f"'{unknown[0]}' is no known reason")
    left_out = set(zip(columns["material_id"].tolist(), columns["site_index"].tolist(), strict=True))
    if both := sorted(left_out & set(subset.sites)):
        sites = first_of([site_id(*site) for site in both])
        yield Finding("rejected", place, f"sites are both in the dataset and left out: {sites}")
    counted = {"kept": len(subset), **Counter(reasons)}
    try:
        said = json.loads(subset.group.attrs["counts"])
    except (KeyError, TypeError, ValueError):
        yield Finding("rejected", subset.name, "its attribute `counts` is missing or no JSON")
        return
    if said != counted:
        wrong = next(key for key in [*said, *counted] if said.get(key) != counted.get(key))
        yield Finding(
            "rejected",
            subset.name,
            f"its attribute `counts` says {said.get(wrong, 0)} {wrong}, but there are {counted.get(wrong, 0)}",
        )


def _provenance(file: h5py.File, contents: FileContents) -> Iterator[Finding]:
    for name in ROOT_ATTRIBUTES:
        if not str(file.attrs.get(name, "")):
            yield Finding("provenance", "", f"the attribute `{name}` is missing or empty")
    readers: dict[str, Callable[[str], Any]] = {
        "created": datetime.fromisoformat, "versions": json.loads, "config": json.loads, "inputs_sha256": json.loads,
    }  # fmt: skip
    for name, read in readers.items():
        try:
            if name in file.attrs:
                read(str(file.attrs[name]))
        except ValueError as error:
            yield Finding("provenance", "", f"the attribute `{name}` cannot be read: {one_line(error)}")
    for subset in contents.subsets.values():
        for name in subset.arrays:
            if name.startswith("features/"):
                for attribute in ("weights_hash", "meaning"):
                    if attribute not in subset.group[name].attrs:
                        yield Finding("provenance", f"{subset.name}/{name}", f"it has no attribute `{attribute}`")


def _hashes(file: h5py.File, contents: FileContents, found: Validation) -> Iterator[Finding]:
    if contents.version == "1.0" and "content_sha256" not in file.attrs:
        found.looked_at["hashes"] = "nothing"
        yield Finding(
            "hashes", "", f"no hashes are stored: the file has schema version 1.0, not {SCHEMA_VERSION}", fault=False
        )
        return
    hashes: dict[str, str] = {}
    for name in names_in(file):
        items = [file[name]] if name == STRUCTURES else datasets_of(file[name]) if name in contents.subsets else []
        for item in items:
            place = item.name.lstrip("/")
            try:
                actual = hash_of_structures(item) if isinstance(item, h5py.Group) else hash_of(item)
            except (OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
                yield Finding("hashes", place, f"it cannot be read ({one_line(error)})")
                continue
            stored = item.attrs.get("sha256")
            hashes[place] = actual
            if stored is None:
                yield Finding("hashes", place, "it has no attribute `sha256`")
            elif stored != actual:
                yield Finding("hashes", place, "its values are not those that were written: its SHA-256 differs")
    found.looked_at["hashes"] = f"{len(hashes)} arrays (all structures count as one)"
    if file.attrs.get("content_sha256") != content_hash(hashes):
        yield Finding("hashes", "", "the content is not what was written: `content_sha256` differs")


@cache
def _k_edge(element: str) -> tuple[float, int]:
    """Energy of the K edge of the free element in eV, right to some eV, and the atomic number."""
    import xraydb  # the import opens a database

    return float(xraydb.xray_edge(element, "K").energy), int(xraydb.atomic_number(element))


def _first(wrong: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(wrong)[0])
