"""Writes the report: one self-contained HTML page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pandas as pd

from xanesflow.core.figures import read_note
from xanesflow.core.files import write_text
from xanesflow.core.hdf5 import open_hdf5
from xanesflow.core.reasons import REASONS
from xanesflow.core.tables import read_csv
from xanesflow.core.templates import environment
from xanesflow.report.campaign_section import Summaries, campaign_part
from xanesflow.report.explorer.explorer import ExplorerFiles, explorer_section
from xanesflow.report.explorer.packing import picture
from xanesflow.report.figures.codes import codes_part
from xanesflow.report.figures.theories import theories_part
from xanesflow.report.interpretation_section import interpretation_part
from xanesflow.report.measured_section import measured_part
from xanesflow.report.models_section import models_part, records, title_of, with_subset, worth_drawing
from xanesflow.simulations.state.campaign_status import CampaignStatus

FEW_DRAWN = 5
"""With fewer evaluated spectra, the page shows these and no statistics of their errors."""


@dataclass(frozen=True)
class ModelFigures:
    """Figures of one model on one subset, as files."""

    title: str  # as `expert on m3gnet, Cu_FEFF`
    errors: Path  # histogram of the spectra's errors
    spectra: Path  # one spectrum of each decile
    energies: Path  # error at each energy
    heatmap: Path  # error of each spectrum at each energy


@dataclass(frozen=True)
class ErrorBarFigures:
    """Figures of one model's error bars on one subset, as files."""

    title: str  # as `expert on m3gnet, Cu_FEFF`
    reliability: Path  # share of points inside the bands
    sparsification: Path  # whether expected errors separate good from bad predictions
    bands: Path  # spectra with their bands


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
    intervals: Path | None = None,
    significance: Path | None = None,
    curation_examples: Mapping[str, Path] | None = None,
    named: Mapping[str, Path] | None = None,
    together: Mapping[str, tuple[Path, Path]] | None = None,
    comparison: Path | None = None,
    unseen_elements: Mapping[str, Path] | None = None,
    status: CampaignStatus | None = None,
    runs: Summaries | None = None,
    theories: Mapping[tuple[str, str], tuple[Path, Path]] | None = None,
    codes: Mapping[str, tuple[Path, Path]] | None = None,
    convergence: Mapping[str, Path] | None = None,
    calibration: Path | None = None,
    error_bars: Sequence[ErrorBarFigures] = (),
    disordered: Mapping[str, Path] | None = None,
    explorer: ExplorerFiles | None = None,
    interpretation: Path | None = None,
    measured: Path | None = None,
) -> None:
    """Write the page.

    Args:
        output: HTML to write.
        dataset: the campaign's dataset.
        metrics: metrics.csv.
        curation_figures: SVG by subset.
        curation_examples: SVG by subset of spectra that were left out; None: none are shown.
        named: SVG by subset of its spectra with the names of their compounds, for subsets of few spectra.
        together: two SVG of each model by its title, as `expert on m3gnet`: spectra and errors of all subsets together.
        unmatched: CSV by subset of the sites that only the split files or only the spectra have.
        models: figures of each model on each subset.
        learning_curves: figure of each training by its title, as `universal on m3gnet, FEFF`.
        benchmarks: folder of Snakemake's benchmark files, with one folder for each rule.
        intervals: intervals.csv; None: the page shows no bootstrap intervals.
        significance: significance.csv; None: the page shows no tests between models.
        comparison: figure of all models side by side; None: there is only one model.
        unseen_elements: figure of each delta model by its title, which `learning_curves` has too.
        status: progress of the simulations; None: the page does not show it.
        runs: summaries of the finished runs by subset; None: nothing was simulated.
        theories: table and figure of how well two subsets of one element agree, by these subsets (see
            `report.figures.theories`).
        codes: table and figure of all levels of theory of an element, by element (see `report.figures.codes`).
        convergence: figure of how a code converges, by subset.
        calibration: calibration.csv; None: the page has no section on error bars.
        error_bars: figures of the error bars of each model on each subset.
        disordered: figure of the disordered crystals by subset; None or empty: the page has no such section.
        explorer: files for the section on single spectra; None: the page has no such section.
        interpretation: folder of `snakemake interpretation`; None: it was not asked for.
        measured: folder of `snakemake measured`; None: the campaign has no measured spectra.
    """
    # The scores of the models decide which figures are worth drawing.
    of_models = models_part(metrics, intervals, significance)
    judged = {title_of(row): row["n_test"] for row in of_models["rows"]}
    drawn = worth_drawing([figures.title for figures in models], of_models["rows"])
    calibrations = [] if calibration is None else _calibration(read_csv(calibration))
    with_bars = [title_of(row) for row in calibrations if row["fitted"]]
    without_bars: dict[str, dict[str, list[str]]] = {}  # subsets by reason, and by model and features
    for row in calibrations:
        if row["reason"]:
            of_model = without_bars.setdefault(row["reason"], {})
            of_model.setdefault(f"{row['model']} on {row['features']}", []).append(row["subset"])
    with_bars = worth_drawing(with_bars, of_models["rows"])

    # The dataset says how it was made and what curation left out.
    with open_hdf5(dataset) as file:
        attributes = {key: str(value) for key, value in file.attrs.items()}
        drawings = {name: (figure, (curation_examples or {}).get(name)) for name, figure in curation_figures.items()}
        subsets = [_subset(name, file[name], *drawings[name], unmatched[name]) for name in drawings]

    names_shown = {name: path for name, path in (named or {}).items() if read_note(path) is None}
    for subset in subsets:
        subset["named"] = subset["name"] in names_shown
    joined = {title: pair for title, pair in (together or {}).items() if read_note(pair[0]) is None}

    # Every figure goes into the page itself, so that it needs no other file.
    deltas = unseen_elements or {}
    page = (
        environment("xanesflow.report")
        .get_template("template.html")
        .render(
            title=attributes["title"],
            created=attributes["created"],
            citation=attributes["citation"],
            versions=json.loads(attributes["versions"]),
            config=json.dumps(json.loads(attributes["config"]), indent=2),
            dataset=dataset.name,
            models_part=of_models,
            subsets=subsets,
            named={name: picture(path) for name, path in names_shown.items()},
            together={title: tuple(map(picture, pair)) for title, pair in joined.items()},
            comparison=picture(comparison) if comparison else None,
            models=[
                _figures(figures) | {"few": 0 < judged.get(figures.title, 0) < FEW_DRAWN}
                for figures in models
                if figures.title in drawn
            ],
            few_drawn=FEW_DRAWN,
            not_drawn=len(models) - len(drawn),
            calibration=calibrations,
            without_bars=without_bars,
            error_bars=[_figures(figures) for figures in error_bars if figures.title in with_bars],
            learning_curves={t: picture(path) for t, path in learning_curves.items() if t not in deltas},
            deltas={t: (picture(learning_curves[t]), picture(path)) for t, path in deltas.items()},
            theories=theories_part(
                {pair: (table, picture(figure)) for pair, (table, figure) in (theories or {}).items()}
            ),
            codes=codes_part({name: (table, picture(figure)) for name, (table, figure) in (codes or {}).items()}),
            convergence={name: picture(figure) for name, figure in (convergence or {}).items()},
            campaign=campaign_part(runs or {}, benchmarks),
            simulations=[*status.subsets, *([status.total()] if len(status.subsets) > 1 else [])] if status else [],
            disordered={name: picture(path) for name, path in (disordered or {}).items()},
            reasons=REASONS,
            reasons_found=_reasons_found(subsets),
            from_files=any(subset["from_file"] for subset in subsets),
            explorer=explorer_section(explorer) if explorer else None,
            interpretation=interpretation_part(interpretation, list(drawings)) if interpretation else None,
            measured=measured_part(measured) if measured else None,
        )
    )
    write_text(output, page)


def _subset(name: str, group: h5py.Group, figure: Path, examples: Path | None, unmatched: Path) -> dict[str, Any]:
    counts = json.loads(group.attrs["counts"])
    lacking = read_csv(unmatched)
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
        "figure": picture(figure),
        "examples": picture(examples) if examples else None,
        "from_file": "spectra" in group and "origin" in group["spectra"].attrs,
        "unmatched": dict(Counter(lacking["lacks"])),
    }


def _calibration(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of calibration.csv with their subset; missing texts become empty."""
    return records(with_subset(table).fillna({"fitted": "", "reason": ""}))


def _figures(figures: ModelFigures | ErrorBarFigures) -> dict[str, Any]:
    """The title, and each figure as `picture` gives it."""
    return {name: picture(value) if isinstance(value, Path) else value for name, value in vars(figures).items()}


def _reasons_found(subsets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The reasons why sites were left out, in the order of the documented list, unknown ones last."""
    found = {reason for subset in subsets for reason in subset["rejected"]}
    return [*(reason for reason in REASONS if reason in found), *sorted(found - REASONS.keys())]
