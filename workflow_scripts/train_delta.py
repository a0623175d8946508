"""Fit DeltaXAS to a subset (rules/models.smk)."""

from pathlib import Path

from xanesflow.models.train_delta import train_delta
from xanesflow.scripting import rule_log

with rule_log(snakemake) as config:
    train_delta(
        snakemake.input.dataset,
        dict(zip(snakemake.params.seeds, map(Path, snakemake.output.checkpoints), strict=True)),
        subset=snakemake.wildcards.subset,
        features=snakemake.wildcards.features,
        baseline=snakemake.params.baseline,
        curve=snakemake.output.curve,
        figure=snakemake.output.figure,
        config_json=config,
    )
