"""Train one Tuned-UniversalXAS with each seed (rules/models.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import by_seed, rule_log
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.network.fit import train_model

with rule_log(snakemake) as config:
    train_model(
        "tuned",
        Path(snakemake.input.dataset),
        by_seed(snakemake.params.seeds, snakemake.output.checkpoints),
        starts=by_seed(snakemake.params.seeds, snakemake.input.universal),
        subsets=[snakemake.wildcards.subset],
        features=snakemake.wildcards.features,
        settings=TrainingSettings.of_model(snakemake.wildcards.subset, **snakemake.params.settings),
        figure=Path(snakemake.output.figure),
        history=Path(snakemake.output.history),
        config_json=config,
    )
