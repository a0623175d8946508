"""Draw how far the error bars of one model on one subset can be trusted (rules/report.smk)."""

from pathlib import Path

from xanesflow.report.uncertainty import draw_uncertainty
from xanesflow.scripting import rule_log

with rule_log(snakemake):
    draw_uncertainty(
        Path(snakemake.input[0]),
        reliability=Path(snakemake.output.reliability),
        sparsification=Path(snakemake.output.sparsification),
        bands=Path(snakemake.output.bands),
    )
