"""Train a model that reads what sites are like from their spectra (rules/interpretation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.interpretation.train_interpreter import train_interpreter

with rule_log(snakemake) as config:
    train_interpreter(
        Path(snakemake.input.dataset),
        Path(snakemake.input.sites),
        model=snakemake.wildcards.interpreter,
        name=snakemake.wildcards.subset,
        split=snakemake.wildcards.split,
        seed=int(snakemake.wildcards.seed),
        output=Path(snakemake.output.model),
        predictions=Path(snakemake.output.predictions),
        robustness=Path(snakemake.output.robustness),
        config_json=config,
    )
