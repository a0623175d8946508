"""Fit DeltaXAS to a subset (rules/models.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import by_seed, rule_log
from xanesflow.models.delta.train_delta import train_delta

with rule_log(snakemake) as config:
    train_delta(
        Path(snakemake.input.dataset),
        by_seed(snakemake.params.seeds, snakemake.output.checkpoints),
        subset=snakemake.wildcards.subset,
        features=snakemake.wildcards.features,
        cheap_features=snakemake.params.cheap_features,
        curve=Path(snakemake.output.curve),
        figure=Path(snakemake.output.figure),
        config_json=config,
    )
