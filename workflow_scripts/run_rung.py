"""Compute a few sites with one option changed (rules/convergence.smk)."""

from pathlib import Path

from xanesflow.codes.registry import engine_of
from xanesflow.config.rule_script import rule_log
from xanesflow.core.sites import Subset
from xanesflow.spectra.convergence_study import run_rung

with rule_log(snakemake):
    subset = snakemake.wildcards.subset
    run_rung(
        Path(snakemake.input.structures),
        Path(snakemake.input.site_table),
        Path(snakemake.output[0]),
        Path(snakemake.params.kept),
        subset=subset,
        sites=snakemake.params.sites,
        engine=engine_of(Subset.parse(subset).theory, snakemake.params.engine),
        workers=snakemake.threads,
    )
