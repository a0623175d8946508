"""Write the report page (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import path_or_none, paths_by, rule_log
from xanesflow.report.explorer.explorer import ExplorerFiles
from xanesflow.report.page import ErrorBarFigures, ModelFigures, make_report
from xanesflow.simulations.state.campaign_status import campaign_status
from xanesflow.simulations.state.summary import summarize_runs

with rule_log(snakemake):
    given, params = snakemake.input, snakemake.params
    figures = zip(params.titles, given.errors, given.spectra, given.energies, given.heatmap, strict=True)
    of_error_bars = zip(params.models, given.reliability, given.sparsification, given.bands, strict=True)
    maps = paths_by(params.features, given.maps)
    make_report(
        Path(snakemake.output[0]),
        dataset=Path(given.dataset),
        metrics=Path(given.metrics),
        intervals=Path(given.intervals),
        significance=Path(given.significance),
        curation_figures=paths_by(params.subsets, given.curation),
        curation_examples=paths_by(params.subsets, given.left_out),
        named=paths_by(params.subsets, given.named),
        together=paths_by(params.together, given.together_spectra, given.together_errors),
        unmatched=paths_by(params.subsets, given.unmatched),
        disordered=dict(zip(params.subsets, map(Path, given.disordered), strict=False)),
        models=[ModelFigures(title, *map(Path, paths)) for title, *paths in figures],
        calibration=Path(given.calibration),
        error_bars=[ErrorBarFigures(title, *map(Path, paths)) for title, *paths in of_error_bars],
        learning_curves=paths_by(params.trainings, given.curves),
        unseen_elements=paths_by(params.deltas, given.unseen),
        theories=paths_by(map(tuple, params.pairs), given.theories, given.theory_figures),
        codes=paths_by(params.elements, given.codes, given.code_figures),
        convergence=paths_by(params.tried, given.convergence),
        comparison=path_or_none(given.comparison),
        benchmarks=Path(params.benchmarks),
        explorer=ExplorerFiles(Path(given.dataset), list(map(Path, given.predictions)), Path(given.chemistry), maps),
        interpretation=Path(given.chemistry).parent if params.interpretation else None,
        measured=Path(given.measured[0]).parent if given.measured else None,
        runs=summarize_runs(Path(), params.all_subsets) if params.simulated else None,
        status=campaign_status(Path(), params.subsets) if params.simulated else None,
    )
