"""Fit a baseline on a subset and predict its test (or validation) part (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.evaluation.baselines import predict_baseline
from xanesflow.scripting import rule_log

with rule_log(snakemake) as config:
    predict_baseline(
        Path(snakemake.input.dataset),
        Path(snakemake.output[0]),
        baseline=snakemake.wildcards.baseline,
        features=snakemake.wildcards.features,
        subset=snakemake.wildcards.subset,
        part=snakemake.params.part,
        threads=snakemake.threads,
        config_json=config,
    )
