"""Croissant metadata of a packaged dataset, for search engines and for data loaders of machine learning.

Croissant 1.1 describes files, and records within CSV, JSON or Parquet, but it cannot name an array within HDF5. So the
metadata describe the HDF5 file as a whole, and list the records of the accompanying tables. You find the spectrum of a
record by its `subset` and `row`.

The package mlcroissant could write this JSON too, but it brings six more packages, of which jsonpath-rw and ply have
had no release for years; so the tests read the metadata with it, and nothing else needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xanesflow.core.files import sha256_file

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The JSON-LD context of Croissant 1.1: a vocabulary that the specification fixes."""

FORMATS = {".h5": "application/x-hdf5", ".csv": "text/csv", ".md": "text/markdown"}

COLUMNS = {
    "sites": {
        "key": ("sc:Text", "subset and site, such as Cu_FEFF/mp-390_000"),
        "subset": ("sc:Text", "element and level of theory; names the group in the HDF5 file"),
        "row": ("sc:Integer", "row of the site in the arrays of its subset, from 0"),
        "material_id": ("sc:Text", "material, as in the group structures"),
        "site_index": ("sc:Integer", "index of the absorbing atom in its structure, from 0"),
        "multiplicity": ("sc:Integer", "number of symmetry-equivalent atoms that the site represents"),
        "split": ("sc:Text", "train, val or test"),
        "formula": ("sc:Text", "reduced formula of the material"),
        "n_atoms": ("sc:Integer", "atoms in the cell"),
        "corrections": ("sc:Text", "what was changed in a run's inputs until it succeeded; empty if nothing was"),
        "settings": ("sc:Text", "physics settings of a run that differ from those of most; empty if none do"),
    },
    "rejected": {
        "subset": ("sc:Text", "element and level of theory"),
        "material_id": ("sc:Text", "material"),
        "site_index": ("sc:Integer", "index of the absorbing atom, from 0; -1 for the material as a whole"),
        "reason": ("sc:Text", "why the site is not in the dataset"),
        "detail": ("sc:Text", "details for this site"),
    },
}
"""Columns of sites.csv and rejected.csv."""


def croissant(
    about: Mapping[str, Any], files: Sequence[Path], *, description: str, version: str, url: str | None
) -> dict[str, Any]:
    """The metadata as JSON-LD.

    Args:
        about: root attributes of the dataset.
        files: the files to describe, all in one folder, including sites.csv and rejected.csv.
        description: a paragraph about the dataset.
        version: version of the dataset, such as 1.0.0.
        url: address of the dataset, if known.
    """
    year = str(about["created"])[:4]
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": str(about["campaign"]),
        "description": description,
        "conformsTo": CONFORMS_TO,
        "license": f"https://spdx.org/licenses/{about['licence']}.html",
        "creator": {"@type": "sc:Organization", "name": str(about["creator"])},
        "datePublished": str(about["created"])[:10],
        "version": version,
        "citeAs": (
            f"@misc{{{about['campaign']}, author = {{{about['creator']}}}, title = {{{about['title']}}}, "
            f"year = {{{year}}}, version = {{{version}}}}}"
        ),
        "keywords": ["XANES", "X-ray absorption spectroscopy", "K edge", "materials science"],
        "isLiveDataset": False,
        "distribution": [_file(path) for path in files],
        "recordSet": [_records(name, columns) for name, columns in COLUMNS.items()],
    }
    return described | ({"url": url} if url else {})


def _file(path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": FORMATS[path.suffix],
        "sha256": sha256_file(path),
    }


def _records(name: str, columns: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The rows of {name}.csv.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": column,
                "description": meaning,
                "dataType": kind,
                "source": {"fileObject": {"@id": f"{name}.csv"}, "extract": {"column": column}},
            }
            for column, (kind, meaning) in columns.items()
        ],
    }
    return described | ({"key": {"@id": f"{name}/key"}} if "key" in columns else {})
