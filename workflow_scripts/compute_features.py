"""Compute one featurizer's features of a subset's sites (rules/features.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.features.compute_features import compute_features

with rule_log(snakemake) as config:
    compute_features(
        Path(snakemake.input.structures),
        Path(snakemake.input.site_table),
        Path(snakemake.output[0]),
        featurizer=snakemake.wildcards.featurizer,
        weights=snakemake.config["features"]["m3gnet_weights"],  # not in params: moving the folder changes no result
        device=snakemake.params.device,
        workers=snakemake.threads,
        config_json=config,
    )
