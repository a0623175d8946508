"""Draw how far the error bars of one model on one subset can be trusted (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.error_bars import draw_uncertainty

with rule_log(snakemake):
    draw_uncertainty(
        Path(snakemake.input[0]),
        reliability=Path(snakemake.output.reliability),
        sparsification=Path(snakemake.output.sparsification),
        bands=Path(snakemake.output.bands),
    )
