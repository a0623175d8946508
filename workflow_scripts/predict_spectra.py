"""Predict the spectra of a subset's test (or validation) part (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.evaluation.predict import predict_spectra
from xanesflow.scripting import rule_log

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
