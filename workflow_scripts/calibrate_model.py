"""Calibrate one model's error bars on the validation part of a subset (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.evaluation.error_bars.calibrate import calibrate_model

with rule_log(snakemake) as config:
    calibrate_model(
        Path(snakemake.input.dataset),
        [Path(path) for path in snakemake.input.checkpoints],
        Path(snakemake.output[0]),
        subset=snakemake.wildcards.subset,
        config_json=config,
    )
