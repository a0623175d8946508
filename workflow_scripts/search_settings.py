"""Search the settings that make one model best (rules/models.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.config.search_space import SearchSpace
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.search.search_settings import SearchPlan, search_settings

with rule_log(snakemake):
    plan = dict(snakemake.params.search)
    search_settings(
        Path(snakemake.input.dataset),
        Path(snakemake.output.best),
        model=snakemake.wildcards.searched,
        subsets=snakemake.params.subsets,
        features=snakemake.wildcards.features,
        settings=TrainingSettings.of_model(snakemake.wildcards.searched, **snakemake.params.settings),
        plan=SearchPlan(**{**plan, "space": SearchSpace.parse(plan["space"])}),
        study=Path(snakemake.params.study),
        trials=Path(snakemake.output.trials),
        figure=Path(snakemake.output.figure),
    )
