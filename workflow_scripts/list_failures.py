"""List the failed sites of a subset (rules/simulations.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.simulations.state.failures import list_failures

with rule_log(snakemake):
    list_failures(
        [Path(path) for path in snakemake.input],
        Path(snakemake.output[0]),
        subset=snakemake.wildcards.subset,
    )
