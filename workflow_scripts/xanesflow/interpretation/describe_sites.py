"""Describe the site of every spectrum of a dataset: a table with a row for each, and why something is not known."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from xanesflow.codes.registry import function_of, theory_of
from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.files import atomic_path
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.provenance import versions
from xanesflow.core.sites import Subset
from xanesflow.core.tables import ALL_AGAIN, read_parquet
from xanesflow.core.text import plural
from xanesflow.dataset.file import structure_json, structure_key
from xanesflow.dataset.read_dataset import DatasetFile, load
from xanesflow.interpretation.describe_structure import DESCRIBED, SiteDescription, describe_structure, method
from xanesflow.interpretation.site_descriptors import DESCRIPTORS

CHARGE = "charge_transfer"
"""Name of the descriptor that comes from finished runs, not from structures."""

_COUNTS = ("cn", "oxygens")

COLUMNS = ("subset", "material_id", "site_index", *DESCRIBED, CHARGE)
"""Columns of the table."""

_METHOD = b"xanesflow.descriptors"
"""Key of the Parquet metadata with method, units and versions, as JSON."""

_SHOWN = 5
"""Number of sites with something unknown that the log names."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Work:
    """A structure to describe, and its absorbers, each with the subsets that have it."""

    material_id: str
    text: str
    sites: dict[int, list[str]]

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{method()}\n{self.text}".encode()).hexdigest()


def describe_sites(
    dataset: Path,
    output: Path,
    *,
    answers_file: Path,
    runs: Mapping[str, Sequence[Path]] | None = None,
    workers: int = 1,
) -> None:
    """Describe every site of a dataset, from the structures in it and the charges of finished runs.

    What cannot be found stays empty, with the reason, and is counted in the log.

    Args:
        dataset: the campaign's dataset.
        output: Parquet to write, a row for each site with `COLUMNS`, in the order of the dataset. Its metadata hold
            the unit and method of each column, and the versions of packages.
        answers_file: file to which each structure's answers are appended, so that an interrupted job continues, and a
            larger dataset only costs its new structures.
        runs: by subset the zips of its finished runs, which may hold the charge transfer; None: there are none.
        workers: processes.
    """
    # Only structures without stored answers are described; each answer is stored at once.
    with load(dataset) as data:
        order, works, absent = _sites_of(data)
    answers = _read_answers(answers_file)
    todo = [work for work in works if not _is_answer(work, answers)]
    log.info("%s, %d of them described before", plural(len(works), "structure"), len(works) - len(todo))
    answers_file.parent.mkdir(parents=True, exist_ok=True)
    with answers_file.open("a", encoding="utf-8") as file:
        for done, (work, found) in enumerate(zip(todo, map_in_processes(_describe, todo, workers), strict=True), 1):
            answers.setdefault(work.key, {}).update(found)
            file.write(json.dumps({"key": work.key, "sites": found}) + "\n")
            file.flush()
            if done == len(todo) or 10 * done // len(todo) > 10 * (done - 1) // len(todo):
                log.info("%d of %d structures", done, len(todo))

    # A structure's answers go to all subsets that have it; sites without a structure get the reason.
    charges = _read_charges(runs or {})
    rows = {}
    for work in works:
        for index, subsets in work.sites.items():
            for subset in subsets:
                rows[subset, work.material_id, index] = answers[work.key][str(index)]
    for site, reason in absent.items():
        rows[site] = asdict(SiteDescription(detail=reason))
    _write(output, [(*site, *(rows[site][name] for name in DESCRIBED), charges.get(site)) for site in order])


_Site = tuple[str, str, int]


def _read_charges(runs: Mapping[str, Sequence[Path]]) -> dict[_Site, float]:
    """The charge transfer in e of every absorber whose run has one, by subset, material and site index."""
    found: dict[_Site, float] = {}
    for subset, chunks in runs.items():
        theory = Subset.parse(subset).theory
        charge_of = function_of(theory_of(theory).absorber_charge)
        for chunk in chunks if charge_of else ():  # VASP has none, and its large runs need not be opened for nothing
            for run in read_chunk(chunk, theory):
                if charge_of and (charge := charge_of(run)) is not None:
                    found[subset, *run.site] = charge
    return found


def _sites_of(data: DatasetFile) -> tuple[list[_Site], list[_Work], dict[_Site, str]]:
    """All sites in the order of the dataset, their structures, and reasons for the sites that have none."""
    order: list[_Site] = []
    works: dict[tuple[str, str], _Work] = {}
    absent: dict[_Site, str] = {}
    for name in data:
        subset = data[name]
        for material, index in zip(subset.material_id.tolist(), subset.site_index.tolist(), strict=True):
            order.append((name, material, index))
            key = structure_key(data.hdf5, name, material)
            if key is None:
                absent[order[-1]] = "The dataset holds no structure of the material."
                continue
            if (material, key) not in works:
                works[material, key] = _Work(material, structure_json(data.hdf5, name, material), {})
            works[material, key].sites.setdefault(index, []).append(name)
    return order, list(works.values()), absent


def _read_answers(path: Path) -> dict[str, dict[str, Any]]:
    """Answers of earlier runs by hash of method and structure; a line that was cut short is skipped."""
    answers: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return answers
    text = path.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):  # a killed run's last line; the next line must not be appended to it
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            answers.setdefault(entry["key"], {}).update(entry["sites"])
        except (ValueError, KeyError, TypeError):
            continue
    return answers


def _is_answer(work: _Work, answers: Mapping[str, Mapping[str, Any]]) -> bool:
    return {str(index) for index in work.sites} <= answers.get(work.key, {}).keys()


def _describe(work: _Work) -> dict[str, dict[str, Any]]:
    """The values of `SiteDescription` by their names, by site index as text."""
    from pymatgen.core import Structure  # takes seconds, and stored answers do not need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            structure = Structure.from_dict(json.loads(work.text))
            found = describe_structure(structure, work.sites)
        except Exception as error:  # pymatgen raises errors of many kinds
            unread = SiteDescription(detail=f"The structure cannot be read ({what_is_wrong(error)}).")
            found = dict.fromkeys(work.sites, unread)
    return {str(index): asdict(described) for index, described in found.items()}


def _write(output: Path, rows: Iterable[tuple[Any, ...]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pd.DataFrame(rows, columns=COLUMNS)
    kinds = {name: "Int64" if name in _COUNTS else "float64" for name in DESCRIPTORS}
    table = table.astype({"site_index": "int64", **kinds})
    columns = {each.name: {"unit": each.unit, "method": each.method} for each in DESCRIPTORS.values()}
    made = {"columns": columns, "method": method(), "versions": versions(("pymatgen-core", "spglib"))}
    stored = pa.Table.from_pandas(table, preserve_index=False)
    stored = stored.replace_schema_metadata({**(stored.schema.metadata or {}), _METHOD: json.dumps(made)})
    with atomic_path(output) as temporary:
        pq.write_table(stored, temporary, compression="zstd")
    sources = table["oxidation_from"].replace("", "unknown").value_counts()
    log.info(
        "oxidation state of %s: %s", plural(len(table), "site"), ", ".join(f"{n} {name}" for name, n in sources.items())
    )
    log.info("%d sites without a coordination number", int(table["cn"].isna().sum()))
    log.info("%d sites without a charge transfer", int(table[CHARGE].isna().sum()))
    without = table[table["detail"] != ""]
    for row in without.head(_SHOWN).itertuples():
        log.info("  %s, %s, site %d: %s", row.subset, row.material_id, row.site_index, row.detail)
    if len(without) > _SHOWN:
        log.info("  … and %d more, all in the column `detail` of %s", len(without) - _SHOWN, output.name)


def read_descriptions(path: Path) -> pd.DataFrame:
    """Read what `describe_sites` wrote.

    Raises:
        XanesflowError: as `core.tables.read_parquet`.
    """
    return read_parquet(path, list(COLUMNS), again=ALL_AGAIN)
