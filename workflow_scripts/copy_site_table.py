"""Copy the site table of a subset for a cheaper level of theory (rules/cheap_runs.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.structures.copy_site_table import copy_site_table

with rule_log(snakemake):
    copy_site_table(
        Path(snakemake.input.structures),
        Path(snakemake.input.site_table),
        Path(snakemake.output.structures),
        Path(snakemake.output.site_table),
        theory=snakemake.params.theory,
        chunks=snakemake.params.n_chunks,
    )
