"""Compare and draw all levels of theory of an element (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.codes import draw_codes

with rule_log(snakemake):
    output = snakemake.output
    draw_codes(Path(snakemake.input[0]), snakemake.params.subsets, table=Path(output.table), output=Path(output.figure))
