"""Check that a subset has enough sites for a split, before any is simulated (rules/dataset.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import path_or_none, rule_log
from xanesflow.dataset.splits import check_site_count

with rule_log(snakemake):
    check_site_count(
        Path(snakemake.input.site_table),
        Path(snakemake.output[0]),
        subset=snakemake.wildcards.subset,
        only=path_or_none(snakemake.input.only),
        files=snakemake.params.files,
        seed=snakemake.params.seed,
        fractions=snakemake.params.fractions,
    )
