"""`xanesflow dataset diff`: prints how two datasets differ, or a dataset and published arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from xanesflow.cli.terminal import print_result
from xanesflow.core.tables import write_csv
from xanesflow.core.text import first_of, plural, quoted
from xanesflow.dataset.compare_releases import Difference, SubsetDifference, compare
from xanesflow.dataset.compare_sites import BOTH, ONLY_NEW, ONLY_OLD, SPECTRUM, compare_with_published

_SHOWN = 10  # sites, materials or findings in a list


def show_difference(old: Path, new: Path, *, tolerance: float, output: Path | None, as_json: bool) -> bool:
    """Print what differs between two releases.

    Args:
        old: dataset of the old release.
        new: dataset of the new release.
        tolerance: largest deviation that counts as equal.
        output: CSV to write, a row for each site; None: none.
        as_json: whether to print one JSON document.

    Returns:
        Whether anything differs.

    Raises:
        XanesflowError: one of the files cannot be opened as a dataset.
    """
    found = compare(old, new, tolerance=tolerance)
    if output is not None and found.subsets:
        _write(output, pd.concat([each.table.assign(subset=name) for name, each in found.subsets.items()]))
    if as_json:
        print_result(json.dumps(found.as_plain(), indent=1))
    else:
        _say_difference(found)
    return bool(found)


def _say_difference(found: Difference) -> None:
    for names, what in ((found.added, "added"), (found.removed, "removed")):
        for name in names:
            print_result(f"{name}: subset {what}")
    for name, subset in found.subsets.items():
        if subset:
            for sentence in (*_sentences(subset), *_deviations(subset.table)):
                print_result(f"{name}: {sentence}")
    for key, (was, now) in found.description.items():
        print_result(f"{key}: was {quoted(was)}, now {quoted(now)}")
    if not found:
        print_result("no difference")
    if found.made:
        print_result(f"(They were made differently: {', '.join(found.made)}.)")


def _sentences(subset: SubsetDifference) -> list[str]:
    said = [
        f"{plural(len(names), 'site')} {what}: {_some(names)}"
        for names, what in ((subset.added, "added"), (subset.removed, "removed"))
        if names
    ]
    if subset.spectra:
        worst = sorted(subset.spectra, key=lambda site: -subset.spectra[site])
        said.append(
            f"{plural(len(worst), 'spectrum', 'spectra')} changed, by up to {subset.spectra[worst[0]]:.2g} of the "
            f"maximum: {_some(worst)}"
        )
    if subset.split:
        moved = [f"{site} ({was} to {now})" for site, (was, now) in subset.split.items()]
        said.append(f"{plural(len(moved), 'site')} in another part: {_some(moved)}")
    said += [f"features {name} of {plural(number, 'site')} changed" for name, number in subset.features.items()]
    for names, one, several in (
        (subset.multiplicity, "multiplicity", "multiplicities"),
        (subset.corrections, "list of corrections", "lists of corrections"),
        (subset.settings, "note on settings", "notes on settings"),
        (subset.structures, "structure", "structures"),
    ):
        if names:
            said.append(f"{plural(len(names), one, several)} changed: {_some(names)}")
    return [*said, *subset.remarks]


def _some(names: Sequence[str]) -> str:
    return first_of(names, _SHOWN) + (" (all with --json)" if len(names) > _SHOWN else "")


def show_difference_from_published(
    dataset: Path, published: Path, *, subset: str | None, tolerance: float, output: Path | None, as_json: bool
) -> bool:
    """Print how far a dataset is from published arrays.

    Args:
        dataset: the dataset.
        published: npz with the arrays of one subset.
        subset: which; None: the one that the name of `published` begins with.
        tolerance: largest deviation that counts as equal.
        output: CSV to write, a row for each site; None: none.
        as_json: whether to print one JSON document.

    Returns:
        Whether a site of the arrays is missing or deviates by more than the tolerance.

    Raises:
        XanesflowError: one of the files cannot be read.
    """
    name, table = compare_with_published(dataset, published, subset)
    if output is not None:
        _write(output, table.assign(subset=name))
    counts = {where: int((table["where"] == where).sum()) for where in (BOTH, ONLY_OLD, ONLY_NEW)}
    common = table[table["where"] == BOTH].drop(columns=["site", "where"])
    differs = counts[ONLY_OLD] > 0 or bool((~(common.dropna(axis=1, how="all") <= tolerance)).to_numpy().any())
    if as_json:
        spread = {
            name: {"median": float(values.median()), "worst": float(values.max())}
            for name, values in common.dropna(axis=1, how="all").items()
        }
        facts = {"subset": name, "common": counts[BOTH], "missing": counts[ONLY_OLD], "extra": counts[ONLY_NEW]}
        print_result(json.dumps({**facts, "deviations": spread, "equal": not differs}, indent=1))
        return differs
    print_result(
        f"{name}: {counts[BOTH]} of {plural(counts[BOTH] + counts[ONLY_OLD], 'site')} of {published.name} in "
        f"{dataset.name}, {counts[ONLY_OLD]} missing; only in the dataset: {counts[ONLY_NEW]}"
    )
    for sentence in _deviations(table):
        print_result(f"{name}: {sentence}")
    missing = table["site"][table["where"] == ONLY_OLD].tolist()
    if missing:
        print_result(f"{name}: missing: {first_of(missing, _SHOWN)}")
    return differs


def _deviations(table: pd.DataFrame) -> list[str]:
    """Median and worst deviation of the common sites, a sentence for spectra and for each featurizer."""
    common = table[table["where"] == BOTH].set_index("site")
    said = []
    for name in common.columns.drop("where"):
        values = common[name].dropna()
        if len(values):
            what, of = ("spectra", "their maximum") if name == SPECTRUM else (f"features {name}", "the largest")
            said.append(
                f"{what} of {plural(len(values), 'common site')} deviate by {values.median():.1e} of {of} (median), at "
                f"worst by {values.max():.1e} ({values.idxmax()})"
            )
    return said


def _write(output: Path, table: pd.DataFrame) -> None:
    """Write the table with the subset as its first column."""
    write_csv(output, table[["subset", *table.columns.drop("subset")]])
