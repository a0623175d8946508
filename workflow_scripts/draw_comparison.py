"""Draw all models on all features side by side (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.comparison import draw_comparison

with rule_log(snakemake):
    given = snakemake.input
    draw_comparison(Path(given.metrics), Path(snakemake.output[0]), intervals=Path(given.intervals))
