"""Test a delta model on elements that its training never saw (rules/models.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.models.delta.unseen_elements import score_unseen_elements

with rule_log(snakemake):
    score_unseen_elements(
        Path(snakemake.input.dataset),
        subset=snakemake.wildcards.subset,
        features=snakemake.wildcards.features,
        cheap_features=snakemake.params.cheap_features,
        table=Path(snakemake.output.table),
        drawing=Path(snakemake.output.figure),
        seed=snakemake.params.seed,
    )
