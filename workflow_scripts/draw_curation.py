"""Draw what curation kept and left out of a subset (rules/report.smk)."""

from pathlib import Path

from xanesflow.report.curation import draw_curation
from xanesflow.report.curation_examples import draw_examples
from xanesflow.scripting import rule_log

with rule_log(snakemake):
    draw_curation(Path(snakemake.input[0]), Path(snakemake.output.kept))
    draw_examples(Path(snakemake.input[0]), Path(snakemake.output.examples))
