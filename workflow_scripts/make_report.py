"""Write the report page (rules/report.smk)."""

from pathlib import Path

from xanesflow.report.page import ModelFigures, make_report
from xanesflow.scripting import rule_log

with rule_log(snakemake):
    given, params = snakemake.input, snakemake.params
    models = []
    for k, name in enumerate(params.models):
        kind, rest = name.split("_", 1)
        features, element, theory = rest.rsplit("_", 2)
        models.append(
            ModelFigures(
                title=f"{kind} on {features}, {element}_{theory}",
                subset=f"{element}_{theory}",
                errors=Path(given.errors[k]),
                spectra=Path(given.spectra[k]),
                energies=Path(given.energies[k]),
                learning_curves=[Path(given.curves[k + i * len(params.models)]) for i in range(params.n_seeds)],
            )
        )
    make_report(
        Path(snakemake.output[0]),
        dataset=Path(given.dataset),
        metrics=Path(given.metrics),
        curation_figures=dict(zip(params.subsets, map(Path, given.curation), strict=True)),
        unmatched=dict(zip(params.subsets, map(Path, given.unmatched), strict=True)),
        models=models,
        benchmarks=Path(params.benchmarks),
    )
