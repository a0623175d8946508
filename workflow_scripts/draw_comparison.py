"""Draw all models on all features side by side (rules/report.smk)."""

from pathlib import Path

from xanesflow.report.comparison import draw_comparison
from xanesflow.scripting import rule_log

with rule_log(snakemake):
    draw_comparison(Path(snakemake.input[0]), Path(snakemake.output[0]))
