"""Compare the spectra of two subsets of an element site by site, and draw how well they agree (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.theories import draw_theories

with rule_log(snakemake):
    draw_theories(
        Path(snakemake.input[0]),
        snakemake.wildcards.one,
        snakemake.wildcards.other,
        table=Path(snakemake.output.table),
        output=Path(snakemake.output.figure),
    )
