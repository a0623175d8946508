"""Fit a baseline on a subset and predict its test (or validation) part (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.evaluation.predict_simple_models import predict_baseline

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
