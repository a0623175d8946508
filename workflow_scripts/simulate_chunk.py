"""Compute the sites of a chunk (rules/simulations.smk)."""

from pathlib import Path

from xanesflow.codes.registry import engine_of
from xanesflow.config.rule_script import path_or_none, rule_log
from xanesflow.core.sites import Subset
from xanesflow.simulations.run_chunk import simulate_chunk

with rule_log(snakemake):
    subset = snakemake.wildcards.subset
    simulate_chunk(
        Path(snakemake.input.structures),
        Path(snakemake.input.site_table),
        Path(snakemake.output[0]),
        Path(snakemake.params.kept),
        subset=subset,
        chunk=int(snakemake.wildcards.chunk),
        engine=engine_of(Subset.parse(subset).theory, snakemake.params.engine),
        only=path_or_none(snakemake.input.only),
        workers=snakemake.threads,
        tried_again=snakemake.resources.attempt < snakemake.resources.get("attempts", 1),
    )
