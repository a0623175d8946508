"""Estimate what the simulations of all subsets will cost (rules/structures.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.structures.cost import estimate_cost

with rule_log(snakemake):
    tables = [Path(path) for path in snakemake.input]
    estimate_cost(dict(zip(snakemake.params.subsets, tables, strict=True)), Path(snakemake.output[0]))
