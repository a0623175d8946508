"""Train one UniversalXAS with one seed (rules/models.smk)."""

from pathlib import Path

from xanesflow.models.settings import TrainingSettings
from xanesflow.models.universal import train_universal
from xanesflow.scripting import rule_log

with rule_log(snakemake) as config:
    train_universal(
        Path(snakemake.input.dataset),
        Path(snakemake.output.checkpoint),
        subsets=snakemake.params.subsets,
        features=snakemake.wildcards.features,
        settings=TrainingSettings.of_model(
            "universal", **snakemake.params.settings, threads=snakemake.threads, seed=int(snakemake.wildcards.seed)
        ),
        figure=Path(snakemake.output.figure),
        history=Path(snakemake.output.history),
        config_json=config,
    )
