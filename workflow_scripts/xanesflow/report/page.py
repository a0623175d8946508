"""The report: one self-contained HTML page."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from xanesflow.files import write_text
from xanesflow.reasons import REASONS

PAPER_ETA = {
    "Ti_FEFF": 6.35, "V_FEFF": 7.30, "Cr_FEFF": 8.54, "Mn_FEFF": 17.66, "Fe_FEFF": 7.51, "Co_FEFF": 14.47,
    "Ni_FEFF": 8.45, "Cu_FEFF": 5.19, "Ti_VASP": 4.75, "Cu_VASP": 8.46,
}  # fmt: skip
"""η of ExpertXAS on m3gnet features (arXiv 2409.19552, Table I)."""


@dataclass(frozen=True)
class ModelFigures:
    """Figures of one model on one subset, as files.

    Attributes:
        title: as `expert on m3gnet, Cu_FEFF`.
        subset: as `Cu_FEFF`.
        errors: histogram of the spectra's errors.
        spectra: a spectrum of each decile.
        energies: error at each energy.
        learning_curves: one for each seed.
    """

    title: str
    subset: str
    errors: Path
    spectra: Path
    energies: Path
    learning_curves: Sequence[Path]


def make_report(
    output: Path,
    *,
    dataset: Path,
    metrics: Path,
    curation_figures: Mapping[str, Path],
    unmatched: Mapping[str, Path],
    models: Sequence[ModelFigures],
    benchmarks: Path,
) -> None:
    """Write the page.

    Args:
        output: HTML to write.
        dataset: the campaign's dataset.
        metrics: metrics.csv.
        curation_figures: SVG by subset.
        unmatched: CSV by subset of the sites that split files and spectra do not share.
        models: figures of each model.
        benchmarks: folder of Snakemake's benchmark files, one sub-folder a rule.
    """
    table = pd.read_csv(metrics)
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
        metrics=[_metrics_row(row) for row in table.to_dict("records")],
        on_validation="val" in set(table["part"]),
        small=[s for s in subsets if s["parts"].get("train", 0) < 500],
        subsets=subsets,
        models=[_model(figures) for figures in models],
        runtimes=_runtimes(benchmarks),
        reasons=REASONS,
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


def _metrics_row(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    subset = f"{row['element']}_{row['theory']}"
    comparable = row["model"] == "expert" and row["features"] == "m3gnet" and row["part"] == "test"
    return {
        **{str(key): value for key, value in row.items()},
        "subset": subset,
        "paper_eta": PAPER_ETA.get(subset) if comparable else None,
    }


def _model(figures: ModelFigures) -> dict[str, Any]:
    return {
        "title": figures.title,
        "errors": data_uri(figures.errors),
        "spectra": data_uri(figures.spectra),
        "energies": data_uri(figures.energies),
        "learning_curves": [data_uri(path) for path in figures.learning_curves],
    }


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


def data_uri(figure: Path) -> str:
    """A figure's file as an address that needs no file."""
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[figure.suffix]
    return f"data:{kind};base64,{base64.b64encode(figure.read_bytes()).decode()}"
