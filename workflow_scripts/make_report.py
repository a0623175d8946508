"""Write the report page (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.explorer.explorer import ExplorerFiles
from xanesflow.report.page import ErrorBarFigures, ModelFigures, make_report
from xanesflow.simulations.state.campaign_status import campaign_status
from xanesflow.simulations.state.summary import summarize_runs

with rule_log(snakemake):
    given, params = snakemake.input, snakemake.params
    titles = [*params.models, *params.simple_models]
    figures = zip(titles, given.errors, given.spectra, given.energies, given.heatmap, strict=True)
    of_error_bars = zip(params.models, given.reliability, given.sparsification, given.bands, strict=True)
    figures_of_theories = zip(map(Path, given.theories), map(Path, given.theory_figures), strict=True)
    make_report(
        Path(snakemake.output[0]),
        dataset=Path(given.dataset),
        metrics=Path(given.metrics),
        intervals=Path(given.intervals),
        significance=Path(given.significance),
        curation_figures=dict(zip(params.subsets, map(Path, given.curation), strict=True)),
        curation_examples=dict(zip(params.subsets, map(Path, given.left_out), strict=True)),
        unmatched=dict(zip(params.subsets, map(Path, given.unmatched), strict=True)),
        disordered=dict(zip(params.subsets, map(Path, given.disordered), strict=False)),
        models=[ModelFigures(title, *map(Path, paths)) for title, *paths in figures],
        calibration=Path(given.calibration),
        error_bars=[ErrorBarFigures(title, *map(Path, paths)) for title, *paths in of_error_bars],
        learning_curves=dict(zip(params.trainings, map(Path, given.curves), strict=True)),
        unseen_elements=dict(zip(params.deltas, map(Path, given.unseen), strict=True)),
        theories=dict(zip(map(tuple, params.pairs), figures_of_theories, strict=True)),
        codes=dict(
            zip(params.elements, zip(map(Path, given.codes), map(Path, given.code_figures), strict=True), strict=True)
        ),
        convergence=dict(zip(params.tried, map(Path, given.convergence), strict=True)),
        comparison=Path(given.comparison[0]) if given.comparison else None,
        benchmarks=Path(params.benchmarks),
        explorer=ExplorerFiles(
            dataset=Path(given.dataset),
            predictions=[Path(path) for path in given.predictions],
            chemistry=Path(given.chemistry),
            maps=dict(zip(params.features, map(Path, given.maps), strict=True)),
        ),
        runs=summarize_runs(Path(), params.all_subsets) if params.simulated else None,
        status=campaign_status(Path(), params.subsets) if params.simulated else None,
    )
