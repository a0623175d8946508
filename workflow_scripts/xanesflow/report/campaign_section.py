"""The report's part on the campaign: what it cost, how its runs went, and what computed them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xanesflow.core.provenance import versions
from xanesflow.simulations.state.summary import ChunkSummary, SubsetSummary

MOST_CHUNKS, MOST_FAILURES = 100, 50
"""Most rows that the page lists; more would hide what matters, and the campaign's files have them all."""

PACKAGES = ("scipy", "pandas", "h5py", "pymatgen", "torch", "chgnet", "scikit-learn", "matplotlib", "snakemake")
"""Packages whose versions the page shows, in addition to those that the files record."""

Summaries = Mapping[str, tuple[SubsetSummary, list[ChunkSummary]]]


def campaign_part(summaries: Summaries, benchmarks: Path) -> dict[str, Any]:
    """Collect what the template `campaign.html` shows.

    Args:
        summaries: of the runs by subset; empty: nothing was simulated here.
        benchmarks: folder of Snakemake's benchmark files, with one folder for each rule.
    """
    measured = _benchmarks(benchmarks)
    chunks = [_chunk(each, measured) for _, of_subset in summaries.values() for each in of_subset]
    # Failures and what could not be read first, then the costliest.
    chunks.sort(key=lambda row: (not row["note"], not row["failed"], -row["core_hours"]))
    failures = [(name, failed) for name, (whole, _) in summaries.items() for failed in whole.failures]
    return {
        "subsets": [whole for whole, _ in summaries.values()],
        "codes": _alike(summaries, "codes"),
        "versions": _alike(summaries, "versions"),
        "chunks": chunks[:MOST_CHUNKS],
        "more_chunks": max(len(chunks) - MOST_CHUNKS, 0),
        "failures": failures[:MOST_FAILURES],
        "more_failures": max(len(failures) - MOST_FAILURES, 0),
        "runtimes": _runtimes(measured),
        "packages": versions(PACKAGES),
    }


def _alike(summaries: Summaries, attribute: str) -> dict[tuple[str, ...], list[str]]:
    """Group the subsets that were run here by the codes or versions of their runs, which are mostly the same."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, (whole, _) in summaries.items():
        if not whole.imported:
            found.setdefault(tuple(getattr(whole, attribute)), []).append(name)
    return found


def _chunk(each: ChunkSummary, measured: pd.DataFrame) -> dict[str, Any]:
    """A chunk's summary with wall hours and memory of its job, as Snakemake measured them."""
    job = measured[(measured["rule"] == "simulate_chunk") & (measured["job"] == f"{each.subset}_{each.chunk:04d}")]
    return {
        **vars(each),
        "runs": each.runs,
        "wall_hours": float(job["seconds"].iloc[0]) / 3600 if len(job) else None,
        "mib": float(job["mib"].iloc[0]) if len(job) else float("nan"),
    }


def _benchmarks(folder: Path) -> pd.DataFrame:
    """A row for each job that Snakemake measured: rule, job, wall seconds, largest memory in MiB."""
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        try:
            table = pd.read_csv(path, sep="\t", na_values="-")
        except pd.errors.EmptyDataError:  # left by a killed job
            continue
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        for record in table.to_dict("records"):
            mib = record.get("max_rss", float("nan"))
            rows.append({"rule": rule, "job": path.stem, "seconds": float(record["s"]), "mib": mib})
    return pd.DataFrame(rows, columns=["rule", "job", "seconds", "mib"])


def _runtimes(measured: pd.DataFrame) -> Sequence[Mapping[Hashable, Any]]:
    """Wall seconds and largest memory of each rule's jobs; the rules that took longest come first."""
    grouped = measured.groupby("rule", sort=False)
    summary = grouped.agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), mib=("mib", "max")).reset_index()
    return summary.sort_values("seconds", ascending=False).to_dict("records")
