"""Predict the spectra of a subset's test (or validation) part (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.evaluation.predict_spectra import predict_spectra

with rule_log(snakemake) as config:
    predict_spectra(
        Path(snakemake.input.dataset),
        [Path(path) for path in snakemake.input.checkpoints],
        Path(snakemake.output[0]),
        subset=snakemake.wildcards.subset,
        part=snakemake.params.part,
        calibration=Path(snakemake.input.calibration),
        config_json=config,
    )
