"""Compare the rungs of a convergence study (rules/convergence.smk)."""

from pathlib import Path

from xanesflow.config.convergence_rungs import as_config
from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.draw_convergence import draw_convergence
from xanesflow.spectra.convergence_study import RungFile, compare_rungs

with rule_log(snakemake):
    params, output = snakemake.params, snakemake.output
    files = zip(params.options, params.tried, map(Path, snakemake.input.runs), strict=True)
    compare_rungs(
        [RungFile(*each) for each in files],
        subset=snakemake.wildcards.subset,
        structures=Path(snakemake.input.structures),
        energy_start_ev=params.energy_start_ev,
        max_flat_start_ev=params.max_flat_start_ev,
        processing=params.processing,
        spearman=params.spearman,
        rms=params.rms,
        table=Path(output.table),
        answer=Path(output.answer),
        as_config=as_config,
    )
    draw_convergence(Path(output.table), Path(output.figure), spearman=params.spearman, rms=params.rms)
