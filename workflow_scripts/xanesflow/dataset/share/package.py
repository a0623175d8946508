"""Package a dataset as a folder that you can upload to a repository such as Zenodo: `results/package/<campaign>/`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
import yaml

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import atomic_path, write_hashes, write_text
from xanesflow.core.sites import site_id
from xanesflow.core.tables import write_csv
from xanesflow.dataset.check.contents import FileContents, read_contents
from xanesflow.dataset.check.findings import Validation
from xanesflow.dataset.check.validate import validate
from xanesflow.dataset.file import open_dataset
from xanesflow.dataset.share.croissant import COLUMNS, croissant
from xanesflow.dataset.share.datacard import datacard, describe_in_a_paragraph
from xanesflow.dataset.share.licences import licence_text
from xanesflow.dataset.share.scrub import check_package, copy_scrubbed

log = logging.getLogger(__name__)


def package_dataset(dataset: Path, folder: Path, *, version: str, url: str | None = None) -> None:
    """Write the folder: the dataset without any trace of this machine, and its tables, datacard, metadata and hashes.

    The same dataset always gives the same bytes.

    Args:
        dataset: the dataset, `results/dataset/<campaign>.h5`.
        folder: the folder, `results/package/<campaign>`; files in it are replaced.
        version: version of the dataset, such as 1.0.0.
        url: future address of the dataset, if known.

    Raises:
        XanesflowError: the dataset cannot be opened, is not valid, or holds something that must not be shared.
    """
    found = validate(dataset, progress=lambda what: log.info("checking %s", what))
    if not found.valid:
        more = f" and {len(found.faults) - 1} more" if len(found.faults) > 1 else ""
        raise XanesflowError(
            f"{dataset} is not valid: {found.faults[0].check}: {found.faults[0]}{more}; see `xanesflow dataset "
            f"validate {dataset}`, and build it again."
        )
    log.info("copying the dataset without any trace of this machine")
    copy = folder / f"{dataset.stem}.h5"
    with open_dataset(dataset) as source, atomic_path(copy) as temporary, h5py.File(temporary, "w") as target:
        scrubber = copy_scrubbed(source, target)
    log.info("writing tables, datacard, metadata and hashes")
    with open_dataset(copy) as file:
        about = {**file.attrs, "campaign": dataset.stem}
        written = _write_texts(folder, about, read_contents(file), found, version=version, url=url)
    check_package([copy, *written], scrubber)
    write_hashes(folder, [copy, *written])
    log.info("%s: %d files, %.1f MB, content %s", folder, len(written) + 2, _megabytes(folder), about["content_sha256"])


def _write_texts(
    folder: Path,
    about: dict[str, Any],
    contents: FileContents,
    found: Validation,
    *,
    version: str,
    url: str | None,
) -> list[Path]:
    """Write all files except the HDF5 and the hashes; return their paths."""
    tables = {"sites.csv": _sites(contents), "rejected.csv": _rejected(contents)}
    for name, table in tables.items():
        write_csv(folder / name, table)
    campaign = str(about["campaign"])
    paragraph = describe_in_a_paragraph(contents)
    texts = {
        "README.md": datacard(about, contents, found, version=version, url=url),
        "CITATION.cff": _citation(about, paragraph, version=version, url=url),
        "LICENSE": licence_text(str(about["licence"]), str(about["title"]), "dataset"),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    described = [folder / f"{campaign}.h5", *(folder / name for name in tables), folder / "README.md"]
    metadata = croissant(about, described, description=paragraph, version=version, url=url)
    write_text(folder / "croissant.json", json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")
    return [folder / name for name in (*tables, *texts, "croissant.json")]


def _sites(contents: FileContents) -> pd.DataFrame:
    rows = []
    for name, subset in contents.subsets.items():
        arrays = subset.arrays
        said = {name: arrays[name] if name in arrays else [""] * len(subset) for name in ("corrections", "settings")}
        for row, (material, site) in enumerate(subset.sites):
            cell = contents.structures.get(contents.structure_of(name, material) or "")
            rows.append(
                (
                    f"{name}/{site_id(material, site)}",
                    name,
                    row,
                    material,
                    site,
                    int(arrays["multiplicity"][row]),
                    arrays["split"][row],
                    cell.formula if cell else "",
                    len(cell.elements) if cell else None,
                    said["corrections"][row],
                    said["settings"][row],
                )
            )
    return pd.DataFrame(rows, columns=list(COLUMNS["sites"])).astype({"n_atoms": "Int64"})


def _rejected(contents: FileContents) -> pd.DataFrame:
    tables = [
        pd.DataFrame({"subset": name, **subset.rejected})
        for name, subset in contents.subsets.items()
        if subset.rejected is not None
    ]
    return pd.concat(tables, ignore_index=True)[list(COLUMNS["rejected"])]


def _citation(about: dict[str, Any], abstract: str, *, version: str, url: str | None) -> str:
    title, _, identifier = str(about["citation"]).rpartition(", ")
    described = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite it and the paper whose method it follows.",
        "type": "dataset",
        "title": str(about["title"]),
        "abstract": abstract,
        "authors": [{"name": str(about["creator"])}],
        "version": version,
        "date-released": str(about["created"])[:10],
        "license": str(about["licence"]),
        **({"url": url} if url else {}),
        "references": [
            {"type": "article", "title": title or identifier, "authors": [{"name": "the authors of " + identifier}]}
        ],
    }
    return yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6
