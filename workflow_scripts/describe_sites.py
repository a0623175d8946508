"""Describe the surroundings of every site (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.explorer.site_chemistry import describe_sites

with rule_log(snakemake):
    describe_sites(
        Path(snakemake.input[0]),
        Path(snakemake.output[0]),
        answers_file=Path(snakemake.params.kept),
        workers=snakemake.threads,
    )
