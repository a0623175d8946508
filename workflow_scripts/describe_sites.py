"""Describe the surroundings of every site (rules/interpretation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.interpretation.describe_sites import describe_sites

with rule_log(snakemake):
    describe_sites(
        Path(snakemake.input.dataset),
        Path(snakemake.output[0]),
        answers_file=Path(snakemake.params.kept),
        runs={name: [Path(run) for run in runs] for name, runs in snakemake.params.runs.items()},
        workers=snakemake.threads,
    )
