"""Draw all models on all features side by side (rules/report.smk)."""

from pathlib import Path

from xanesflow.report.comparison import draw_comparison
from xanesflow.scripting import rule_log

with rule_log(snakemake):
    given = snakemake.input
    draw_comparison(Path(given.metrics), Path(snakemake.output[0]), intervals=Path(given.intervals))
