"""Fit a simple model to a subset and predict its test (or validation) part (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.evaluation.predict_simple_models import predict_simple_models

with rule_log(snakemake) as config:
    predict_simple_models(
        Path(snakemake.input.dataset),
        Path(snakemake.output[0]),
        model=snakemake.wildcards.simple_model,
        features=snakemake.wildcards.features,
        subset=snakemake.wildcards.subset,
        part=snakemake.params.part,
        threads=snakemake.threads,
        config_json=config,
    )
