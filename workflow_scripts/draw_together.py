"""Draw a model on the evaluated spectra of all subsets together (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.together import draw_together

with rule_log(snakemake):
    draw_together(
        [Path(path) for path in snakemake.input],
        spectra=Path(snakemake.output.spectra),
        errors=Path(snakemake.output.errors),
    )
