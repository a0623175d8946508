"""Draw the errors of one model on one subset (rules/report.smk)."""

from pathlib import Path

from xanesflow.report.evaluation import draw_evaluation
from xanesflow.scripting import rule_log

with rule_log(snakemake):
    draw_evaluation(
        Path(snakemake.input[0]),
        errors=Path(snakemake.output.errors),
        spectra=Path(snakemake.output.spectra),
        energies=Path(snakemake.output.energies),
        heatmap=Path(snakemake.output.heatmap),
    )
