"""Describes each absorber by its structure: oxidation state, coordination number, oxygen neighbours."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import atomic_path
from xanesflow.core.parallel import map_in_processes
from xanesflow.dataset.file import structure_json, structure_key
from xanesflow.dataset.read_dataset import DatasetFile, load

METHOD = "bond valence, composition, CrystalNN 1"
"""Change this text when the same structure would get other answers; stored answers are then computed again."""

MAX_PERMUTATIONS = 2_000
"""Most assignments of valences that are tried for a structure, of which the most likely counts. Few need so many."""

BOND_VALENCE, COMPOSITION, ELEMENT = "bond valence", "composition", "element"

_SHOWN = 5
"""Number of sites with something unknown that the log names."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SiteChemistry:
    """Surroundings of one absorber.

    Attributes:
        subset: as `Cu_FEFF`.
        material_id: its material.
        site_index: 0-based index into the structure.
        formula: reduced formula of the material; empty if its structure is not known.
        oxidation_state: None if not known; a fraction if it comes from the composition of a mixed-valence material.
        oxidation_from: `bond valence`, `composition` (balance of charges), `element` (a pure element), or empty.
        coordination: number of nearest neighbours (CrystalNN); None if not known.
        oxygens: how many of these are oxygen; None if not known.
        detail: sentences that say why something is not known; empty if all is known.
    """

    subset: str
    material_id: str
    site_index: int
    formula: str
    oxidation_state: float | None
    oxidation_from: str
    coordination: int | None
    oxygens: int | None
    detail: str


@dataclass(frozen=True)
class _Work:
    """A structure to describe, and its absorbers, each with the subsets that have it."""

    material_id: str
    text: str
    sites: dict[int, list[str]]

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{_method()}\n{self.text}".encode()).hexdigest()


@cache
def _method() -> str:
    return f"{METHOD}, pymatgen-core {version('pymatgen-core')}"


def describe_sites(dataset: Path, output: Path, *, answers_file: Path, workers: int = 1) -> None:
    """Describe every site of a dataset, from the structures in it.

    The oxidation state comes from bond valences (pymatgen's BVAnalyzer). Where these cannot be assigned, it is the
    average that balances the composition's charges. Neighbours are CrystalNN's. What cannot be found stays empty, with
    the reason, and is counted in the log.

    Args:
        dataset: the campaign's dataset.
        output: Parquet to write, a row for each site with the columns of `SiteChemistry`, in the order of the dataset.
        answers_file: file to which each structure's answers are appended, so that an interrupted job continues, and a
            larger dataset only costs its new structures.
        workers: processes.
    """
    # Only structures without stored answers are described; each answer is stored at once.
    with load(dataset) as data:
        order, works, absent = _sites_of(data)
    answers = _read_answers(answers_file)
    todo = [work for work in works if not _is_answer(work, answers)]
    log.info("%d structures, %d of them described before", len(works), len(works) - len(todo))
    answers_file.parent.mkdir(parents=True, exist_ok=True)
    with answers_file.open("a", encoding="utf-8") as file:
        for done, (work, found) in enumerate(zip(todo, map_in_processes(_describe, todo, workers), strict=True), 1):
            answers.setdefault(work.key, {}).update(found)
            file.write(json.dumps({"key": work.key, "sites": found}) + "\n")
            file.flush()
            if done == len(todo) or 10 * done // len(todo) > 10 * (done - 1) // len(todo):
                log.info("%d of %d structures", done, len(todo))

    # A structure's answers go to all subsets that have it; sites without a structure get the reason.
    rows = {}
    for work in works:
        for index, subsets in work.sites.items():
            for subset in subsets:
                rows[subset, work.material_id, index] = (
                    subset,
                    work.material_id,
                    index,
                    *answers[work.key][str(index)],
                )
    for site, reason in absent.items():
        rows[site] = (*site, "", None, "", None, None, reason)
    _write(output, [rows[site] for site in order])


_Site = tuple[str, str, int]


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


def _describe(work: _Work) -> dict[str, list[Any]]:
    """By site index as text: formula, oxidation state and its source, coordination, oxygens, detail."""
    from pymatgen.core import Structure  # takes seconds, and stored answers do not need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            structure = Structure.from_dict(json.loads(work.text))
            formula = structure.composition.reduced_formula
        except Exception as error:  # pymatgen raises errors of many kinds
            reason = f"The structure cannot be read ({_named(error)})."
            return {str(index): ["", None, "", None, None, reason] for index in work.sites}
        valences, source, missing = _valences(structure)
        found: dict[str, list[Any]] = {}
        for index in work.sites:
            coordination, oxygens, failed = _neighbours(structure, index)
            known = index < len(valences)
            detail = " ".join(filter(None, [missing, failed]))
            state = [valences[index], source] if known else [None, ""]
            found[str(index)] = [formula, *state, coordination, oxygens, detail]
    return found


def _valences(structure: Any) -> tuple[list[float], str, str]:
    """Oxidation state of each atom, its source, and the reason why it is not known."""
    from pymatgen.core.bond_valence import BVAnalyzer

    if len(structure.composition) == 1:
        return [0.0] * len(structure), ELEMENT, ""
    try:
        found = BVAnalyzer(max_permutations=MAX_PERMUTATIONS).get_valences(structure)
        return [float(value) for value in found], BOND_VALENCE, ""
    except Exception as error:  # elements without parameters, no assignment that balances, ...
        why = _named(error)
    try:
        guesses = structure.composition.oxi_state_guesses(max_sites=-1)
    except Exception as error:
        return [], "", f"No oxidation state: bond valences failed ({why}), the composition too ({_named(error)})."
    if not guesses:
        return [], "", f"No oxidation state: bond valences failed ({why}), and no charges balance the composition."
    return [float(guesses[0][site.specie.symbol]) for site in structure], COMPOSITION, ""


def _neighbours(structure: Any, index: int) -> tuple[int | None, int | None, str]:
    """Number of nearest neighbours of an atom, of oxygens among them, and the reason why they are not known."""
    from pymatgen.analysis.local_env import CrystalNN

    try:
        around = [entry["site"].specie.symbol for entry in CrystalNN().get_nn_info(structure, index)]
    except Exception as error:  # no Voronoi cell, no neighbour within the cutoff, ...
        return None, None, f"No coordination number: CrystalNN failed ({_named(error)})."
    return len(around), around.count("O"), ""


def _named(error: Exception) -> str:
    said = " ".join(str(error).split())[:120].rstrip(".!")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _write(output: Path, rows: Iterable[tuple[Any, ...]]) -> None:
    table = pd.DataFrame(rows, columns=[entry.name for entry in fields(SiteChemistry)])
    table = table.astype(
        {"site_index": "int64", "oxidation_state": "float64", "coordination": "Int64", "oxygens": "Int64"}
    )
    with atomic_path(output) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
    sources = table["oxidation_from"].replace("", "unknown").value_counts()
    log.info("oxidation state of %d sites: %s", len(table), ", ".join(f"{n} {name}" for name, n in sources.items()))
    without = table[table["detail"] != ""]
    log.info("%d sites without a coordination number", int(table["coordination"].isna().sum()))
    for row in without.head(_SHOWN).itertuples():
        log.info("  %s, %s, site %d: %s", row.subset, row.material_id, row.site_index, row.detail)
    if len(without) > _SHOWN:
        log.info("  … and %d more, all in the column `detail` of %s", len(without) - _SHOWN, output.name)


def read_chemistry(path: Path) -> pd.DataFrame:
    """Read what `describe_sites` wrote.

    Raises:
        XanesflowError: the file is not such a table.
    """
    columns = [entry.name for entry in fields(SiteChemistry)]
    try:
        return pd.read_parquet(path, columns=columns)
    except (OSError, ValueError, KeyError) as error:
        raise XanesflowError(
            f"{path} is not a table of sites ({_named(error)}); delete it and run snakemake."
        ) from None
