"""The report: one self-contained HTML page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from xanesflow.evaluation.metrics import FEW_TEST, FEW_TRAIN
from xanesflow.files import write_text
from xanesflow.reasons import REASONS
from xanesflow.report.explorer import ExplorerFiles, explorer_section
from xanesflow.report.packing import data_uri
from xanesflow.simulations.status import CampaignStatus

PAPER_ETA = {
    "expert": {
        "Ti_FEFF": 6.35, "V_FEFF": 7.30, "Cr_FEFF": 8.54, "Mn_FEFF": 17.66, "Fe_FEFF": 7.51, "Co_FEFF": 14.47,
        "Ni_FEFF": 8.45, "Cu_FEFF": 5.19, "Ti_VASP": 4.75, "Cu_VASP": 8.46,
    },
    "universal": {
        "Ti_FEFF": 4.19, "V_FEFF": 5.19, "Cr_FEFF": 7.13, "Mn_FEFF": 13.15, "Fe_FEFF": 6.04, "Co_FEFF": 9.58,
        "Ni_FEFF": 6.43, "Cu_FEFF": 2.75,
    },
    "tuned": {
        "Ti_FEFF": 7.63, "V_FEFF": 9.22, "Cr_FEFF": 10.44, "Mn_FEFF": 29.81, "Fe_FEFF": 8.98, "Co_FEFF": 19.83,
        "Ni_FEFF": 11.21, "Cu_FEFF": 4.81, "Ti_VASP": 5.27, "Cu_VASP": 9.21,
    },
}  # fmt: skip
"""η of ExpertXAS, UniversalXAS and Tuned-UniversalXAS on m3gnet features (arXiv 2409.19552, Table I)."""

KINDS = {
    "linear": "linear regression, fitted to the subset alone; a network has to be better",
    "trees": "gradient-boosted trees, fitted to the subset alone; a network has to be better",
    "expert": "ExpertXAS, a network for each subset, trained on that subset alone",
    "universal": (
        "UniversalXAS, one network for all subsets of a level of theory, trained on all of them together; it sees the "
        "features only, and what it predicts stands on the energies of the site's own element"
    ),
    "tuned": (
        "Tuned-UniversalXAS, a network for each subset that goes on from the weights of UniversalXAS with that subset "
        "alone"
    ),
}
"""What a kind of model is, for the reader."""


@dataclass(frozen=True)
class ModelFigures:
    """Figures of one model on one subset, as files.

    Attributes:
        title: as `expert on m3gnet, Cu_FEFF`.
        errors: histogram of the spectra's errors.
        spectra: a spectrum of each decile.
        energies: error at each energy.
    """

    title: str
    errors: Path
    spectra: Path
    energies: Path


@dataclass(frozen=True)
class ErrorBarFigures:
    """Figures of one model's error bars on one subset, as files.

    Attributes:
        title: as `expert on m3gnet, Cu_FEFF`.
        reliability: share of points inside the bands.
        sparsification: do expected errors tell good from bad predictions.
        bands: spectra with their bands.
    """

    title: str
    reliability: Path
    sparsification: Path
    bands: Path


def make_report(
    output: Path,
    *,
    dataset: Path,
    metrics: Path,
    curation_figures: Mapping[str, Path],
    unmatched: Mapping[str, Path],
    models: Sequence[ModelFigures],
    learning_curves: Mapping[str, Path],
    benchmarks: Path,
    comparison: Path | None = None,
    status: CampaignStatus | None = None,
    calibration: Path | None = None,
    error_bars: Sequence[ErrorBarFigures] = (),
    explorer: ExplorerFiles | None = None,
) -> None:
    """Write the page.

    Args:
        output: HTML to write.
        dataset: the campaign's dataset.
        metrics: metrics.csv.
        curation_figures: SVG by subset.
        unmatched: CSV by subset of the sites that split files and spectra do not share.
        models: figures of each model on each subset.
        learning_curves: figure of each training by its title, as `universal on m3gnet, FEFF`.
        benchmarks: folder of Snakemake's benchmark files, one sub-folder a rule.
        comparison: figure of all models side by side; None: there is but one.
        status: how the simulations stand; None: the page does not tell.
        calibration: calibration.csv; None: the page says nothing of error bars.
        error_bars: figures of the error bars of each model on each subset.
        explorer: what single spectra are looked at from; None: they are not.
    """
    table = pd.read_csv(metrics)
    judged = [] if calibration is None else _calibration(pd.read_csv(calibration))
    with_bars = {f"{row['model']} on {row['features']}, {row['subset']}" for row in judged if row["fitted"]}
    with h5py.File(dataset) as file:
        attributes = {key: str(value) for key, value in file.attrs.items()}
        subsets = [_subset(name, file[name], curation_figures[name], unmatched[name]) for name in curation_figures]
    environment = Environment(
        loader=PackageLoader("xanesflow.report", "."),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("template.html").render(
        title=attributes["title"],
        created=attributes["created"],
        citation=attributes["citation"],
        versions=json.loads(attributes["versions"]),
        config=json.dumps(json.loads(attributes["config"]), indent=2),
        dataset=dataset.name,
        metrics=_metrics(table),
        kinds={kind: KINDS[kind] for kind in KINDS if kind in set(table["model"])},
        on_validation="val" in set(table["part"]),
        small=_small(table),
        few=(FEW_TRAIN, FEW_TEST),
        subsets=subsets,
        comparison=data_uri(comparison) if comparison else None,
        models=[_figures(figures) for figures in models],
        calibration=judged,
        error_bars=[_figures(figures) for figures in error_bars if figures.title in with_bars],
        learning_curves={title: data_uri(path) for title, path in learning_curves.items()},
        runtimes=_runtimes(benchmarks),
        simulations=[*status.subsets, *([status.total()] if len(status.subsets) > 1 else [])] if status else [],
        reasons=REASONS,
        explorer=explorer_section(explorer) if explorer else None,
    )
    write_text(output, page)


def _subset(name: str, group: h5py.Group, figure: Path, unmatched: Path) -> dict[str, Any]:
    counts = json.loads(group.attrs["counts"])
    lacking = pd.read_csv(unmatched)
    features = {
        key: (dataset.shape[1], str(dataset.attrs["weights_hash"])) for key, dataset in group["features"].items()
    }
    return {
        "name": name,
        "kept": counts.pop("kept"),
        "rejected": counts,
        "total": sum(counts.values()),
        "materials": len(set(group["material_id"].asstr()[:])),
        "parts": dict(Counter(group["split"].asstr()[:].tolist())),
        "energy": (float(group["energy"][0]), float(group["energy"][-1])),
        "features": features,
        "figure": data_uri(figure),
        "unmatched": dict(Counter(lacking["lacks"])),
    }


def _metrics(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of metrics.csv with their subset and, where it can be compared, the paper's η."""
    subsets = table["element"] + "_" + table["theory"]
    rows = []
    for subset, row in zip(subsets, table.to_dict("records"), strict=True):
        paper = PAPER_ETA.get(row["model"], {})
        comparable = row["features"] == "m3gnet" and row["part"] == "test"
        # What a universal model learned depends on all its subsets: the paper's had eight.
        if row["model"] != "expert" and not PAPER_ETA["universal"].keys() <= set(subsets):
            comparable = False
        named = {str(key): value for key, value in row.items()}
        rows.append({**named, "subset": subset, "paper_eta": paper.get(subset) if comparable else None})
    return rows


def _small(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Subsets with so few spectra that their figures judge no model, each once, with the numbers."""
    few = table[(table["n_train"] < FEW_TRAIN) | (table["n_test"] < FEW_TEST)]
    numbers = few[["element", "theory", "n_train", "n_test", "part"]].drop_duplicates()
    return [{str(key): value for key, value in row.items()} for row in numbers.to_dict("records")]


def _calibration(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of calibration.csv with their subset, and what a table shows where a text is missing."""
    table = table.assign(subset=table["element"] + "_" + table["theory"]).fillna({"fitted": "", "reason": ""})
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _figures(figures: ModelFigures | ErrorBarFigures) -> dict[str, Any]:
    """Their title, and each figure as an address that needs no file."""
    return {name: data_uri(value) if isinstance(value, Path) else value for name, value in vars(figures).items()}


def _runtimes(folder: Path) -> list[dict[Hashable, Any]]:
    """Wall seconds and greatest memory of each rule's jobs, from Snakemake's benchmark files."""
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        try:
            table = pd.read_csv(path, sep="\t", na_values="-")
        except pd.errors.EmptyDataError:  # of a job that was killed
            continue
        for record in table.to_dict("records"):
            rows.append({"rule": rule, "seconds": float(record["s"]), "mib": record.get("max_rss")})
    if not rows:
        return []
    grouped = pd.DataFrame(rows).groupby("rule", sort=False)
    summary = grouped.agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), mib=("mib", "max")).reset_index()
    return summary.sort_values("seconds", ascending=False).to_dict("records")
