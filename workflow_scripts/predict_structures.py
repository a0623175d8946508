"""Predict the spectra of a folder of structures (rules/predict.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.prediction.predict_files import predict_structures
from xanesflow.structures.disorder.represent import Disorder

with rule_log(snakemake) as config:
    predict_structures(
        [Path(str(snakemake.input.structures))],
        snakemake.input.models,
        Path(snakemake.output.spectra),
        weights=snakemake.config["features"]["m3gnet_weights"],  # not in params: moving the folder changes no result
        device=snakemake.params.device,
        workers=snakemake.threads,
        symprec=snakemake.params.symprec,
        disorder=Disorder(**snakemake.params.disorder),
        config_json=config,
    )
