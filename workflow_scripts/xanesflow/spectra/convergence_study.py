"""Convergence of a code: runs of a few sites with one option changed at a time, compared with the finest value."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from xanesflow.codes.engine import Engine, WithSteps
from xanesflow.codes.registry import processing_of
from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import energy_grid
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.sites import Site, Subset, parse_site_id, site_id
from xanesflow.core.tables import read_parquet, write_csv
from xanesflow.simulations.run_chunk import simulate_chunk
from xanesflow.spectra.curate import read_spectra_of_chunk
from xanesflow.spectra.similarity import compare_spectra

log = logging.getLogger(__name__)

_SAME_RMS = 1e-9
COLUMNS = ("site", "key", "value", "finest", "spearman", "rms", "shift_ev", "seconds", "converged", "failed")


@dataclass(frozen=True)
class RungFile:
    """The runs of a rung."""

    key: str  # option
    value: Any  # that it had
    runs: Path  # zip of its runs


def choose_sites(site_table: Path, named: Sequence[str]) -> list[Site]:
    """Return the sites to try: those that are named, else the first of the subset.

    Raises:
        XanesflowError: a name is not of a site of the subset.
    """
    table = read_parquet(site_table).sort_values(["material_id", "site_index"])
    known = [(str(m), int(i)) for m, i in table[["material_id", "site_index"]].itertuples(index=False)]
    wanted = [parse_site_id(name) for name in named] or known[:1]
    if unknown := [site_id(*site) for site in wanted if site not in known]:
        some = ", ".join(site_id(*site) for site in known[:3])
        raise XanesflowError(f"convergence.sites names {unknown[0]}, which is no site of the subset; it has {some} …")
    return wanted


def run_rung(
    structures: Path,
    site_table: Path,
    output: Path,
    kept: Path,
    *,
    subset: str,
    sites: Sequence[str],
    engine: Engine,
    workers: int = 1,
) -> None:
    """Compute the chosen sites with the options of one rung; finished runs are kept as for a chunk.

    Args:
        structures: Parquet of the subset's structures.
        site_table: Parquet of its sites.
        output: zip to write.
        kept: folder of the rung's finished runs.
        subset: such as `Ti_XSPECTRA`.
        sites: names of the sites to try; none: the first one.
        engine: with the options of the rung.
        workers: sites computed at a time.

    Raises:
        XanesflowError: a site is unknown, or the engine cannot run.
    """
    chosen = choose_sites(site_table, sites)
    if isinstance(engine, WithSteps):  # values that change only the last step share the others
        engine.keep_steps_in(kept.parent.parent / "steps", always=True)
    table = read_parquet(site_table)
    mine = [(str(m), int(i)) in chosen for m, i in table[["material_id", "site_index"]].itertuples(index=False)]
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "sites.parquet")
        table[mine].assign(chunk=0).to_parquet(own)
        simulate_chunk(structures, own, output, kept, subset=subset, chunk=0, engine=engine, workers=workers)


def compare_rungs(
    rungs: Sequence[RungFile],
    *,
    subset: str,
    structures: Path,
    energy_start_ev: float,
    max_flat_start_ev: float,
    processing: Mapping[str, float] | None,
    spearman: float,
    rms: float,
    table: Path,
    answer: Path,
    as_config: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Compare the spectra of each value of an option with those of its finest one, and write table and answer.

    A value is converged if it and all finer ones have at least the wanted rank correlation, and at most the wanted
    root mean square of the difference, at every site.

    Args:
        rungs: in the order of the ladder; the last of each option is its finest.
        subset: such as `Ti_XSPECTRA`.
        structures: Parquet of its structures.
        energy_start_ev: first energy of the grid.
        max_flat_start_ev: how far above the grid's start the first computed point may be.
        processing: the element's entries of `curation.<section>`.
        spearman: least rank correlation.
        rms: largest root mean square.
        table: CSV to write.
        answer: config file to write, with the coarsest converged value of each option.
        as_config: nests options by their dotted keys (`config.convergence_rungs.as_config`).
    """
    parsed = Subset.parse(subset)
    made = processing_of(subset, parsed.theory, processing, start_ev=energy_start_ev)
    energy = energy_grid(energy_start_ev)
    rows: list[dict[str, Any]] = []
    spectra: list[dict[Site, Floats]] = []
    for rung in rungs:
        seconds = {run.site: float(run.record.get("seconds", np.nan)) for run in read_chunk(rung.runs, parsed.theory)}
        found = read_spectra_of_chunk(
            rung.runs, structures=structures, sites=frozenset(seconds), subset=parsed, start_ev=energy_start_ev,
            max_flat_start_ev=max_flat_start_ev, processing=made,
        )  # fmt: skip
        spectra.append(found.good)
        why = {(bad.material_id, bad.site_index): f"{bad.reason}: {bad.detail}" for bad in found.bad}
        rows += [
            {"rung": len(spectra) - 1, "site": site_id(*site), "of": site, "key": rung.key, "value": rung.value,
             "seconds": took, "failed": why.get(site, "")}
            for site, took in seconds.items()
        ]  # fmt: skip
    finest = {rung.key: k for k, rung in enumerate(rungs)}
    for row in rows:
        last = finest[row["key"]]
        row |= {"finest": rungs[last].value, "spearman": np.nan, "rms": np.nan, "shift_ev": np.nan}
        one, other = spectra[row["rung"]].get(row["of"]), spectra[last].get(row["of"])
        if one is not None and other is not None:
            try:
                alike = compare_spectra((energy, other), (energy, one))
            except ValueError as error:  # one of them has no shape to compare
                row["failed"] = f"not compared: {error}"
                continue
            row |= {"spearman": alike.spearman, "rms": alike.rms, "shift_ev": alike.shift_ev}
    good = [
        all(row["spearman"] >= spearman and row["rms"] <= rms for row in rows if row["rung"] == k)
        for k in range(len(rungs))
    ]
    # Lengths that round to the same grid are one calculation, and no evidence that the coarser one suffices.
    same = [all(row["rms"] < _SAME_RMS for row in rows if row["rung"] == k) for k in range(len(rungs))]
    converged = [all(good[j] for j in range(k, finest[rung.key] + 1)) for k, rung in enumerate(rungs)]
    for row in rows:
        row["converged"] = converged[row["rung"]]
    write_csv(table, pd.DataFrame(rows)[list(COLUMNS)])
    _write_answer(answer, rungs, converged, same, subset=subset, as_config=as_config)


def _write_answer(
    answer: Path,
    rungs: Sequence[RungFile],
    converged: Sequence[bool],
    same: Sequence[bool],
    *,
    subset: str,
    as_config: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Write the coarsest converged value of each option as a config file, with a comment on each.

    `same` says of each rung whether its spectra are those of the finest one.
    """
    chosen: dict[str, Any] = {}
    said = []
    finest = {rung.key: k for k, rung in enumerate(rungs)}
    for key, last in finest.items():
        first = next((k for k, rung in enumerate(rungs) if rung.key == key and converged[k]), None)
        if first is None:  # not even the finest value agrees with itself
            how = f"not known: {rungs[last].value}, its finest value, has no spectrum of a site (see the table)"
            said.append(f"# {key}: {how}")
            log.warning("%s: where %s is converged is %s", subset, key, how)
            continue
        chosen[key] = rungs[first].value
        only_finest = all(same[first:last])
        how = "no coarser value is converged, so try finer ones" if only_finest else f"as good as {rungs[last].value}"
        said.append(f"# {key}: {rungs[first].value} ({how})")
        log.info("%s: %s is converged at %s: %s", subset, key, rungs[first].value, how)
    use = f"snakemake spectra --configfile mine.yaml {answer}"
    head = f"# Options at which {subset} is converged; add this file to those of your campaign:\n# {use}\n"
    write_text(answer, head + "\n".join(said) + "\n" + yaml.safe_dump(as_config(chosen), sort_keys=False))
