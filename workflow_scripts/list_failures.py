"""List the failed sites of a subset (rules/simulations.smk)."""

from pathlib import Path

from xanesflow.scripting import rule_log
from xanesflow.simulations.failures import list_failures

with rule_log(snakemake):
    list_failures(
        [Path(path) for path in snakemake.input],
        Path(snakemake.output[0]),
        subset=snakemake.wildcards.subset,
    )
