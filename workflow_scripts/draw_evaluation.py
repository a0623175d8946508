"""Draw the errors of one model on one subset (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.model_errors import draw_evaluation

with rule_log(snakemake):
    draw_evaluation(
        Path(snakemake.input[0]),
        errors=Path(snakemake.output.errors),
        spectra=Path(snakemake.output.spectra),
        energies=Path(snakemake.output.energies),
        heatmap=Path(snakemake.output.heatmap),
    )
