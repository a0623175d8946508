"""Train one ExpertXAS with each seed (rules/models.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import by_seed, rule_log
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.network.expert import train_expert

with rule_log(snakemake) as config:
    train_expert(
        Path(snakemake.input.dataset),
        by_seed(snakemake.params.seeds, snakemake.output.checkpoints),
        subset=snakemake.wildcards.subset,
        features=snakemake.wildcards.features,
        settings=TrainingSettings.of_model(snakemake.wildcards.subset, **snakemake.params.settings),
        figure=Path(snakemake.output.figure),
        history=Path(snakemake.output.history),
        config_json=config,
    )
