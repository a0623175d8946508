"""Train one Tuned-UniversalXAS with one seed (rules/models.smk)."""

from pathlib import Path

from xanesflow.models.settings import TrainingSettings
from xanesflow.models.tuned import train_tuned
from xanesflow.scripting import rule_log

with rule_log(snakemake) as config:
    train_tuned(
        Path(snakemake.input.dataset),
        Path(snakemake.output.checkpoint),
        universal=Path(snakemake.input.universal),
        subset=snakemake.wildcards.subset,
        features=snakemake.wildcards.features,
        settings=TrainingSettings.of_model(
            snakemake.wildcards.subset,
            **snakemake.params,
            threads=snakemake.threads,
            seed=int(snakemake.wildcards.seed),
        ),
        figure=Path(snakemake.output.figure),
        history=Path(snakemake.output.history),
        config_json=config,
    )
