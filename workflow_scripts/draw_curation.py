"""Draw what curation kept and left out of a subset (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.curation import draw_curation
from xanesflow.report.figures.left_out import draw_examples

with rule_log(snakemake):
    draw_curation(Path(snakemake.input[0]), Path(snakemake.output.kept))
    draw_examples(Path(snakemake.input[0]), Path(snakemake.output.examples))
