"""Train one seed of RankAAE (rules/interpretation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.interpretation.rank_aae.train_seed import train_seed

with rule_log(snakemake) as config:
    train_seed(
        Path(snakemake.input.dataset),
        Path(snakemake.input.sites),
        name=snakemake.wildcards.subset,
        split=snakemake.wildcards.split,
        seed=int(snakemake.wildcards.seed),
        output=Path(snakemake.output.model),
        predictions=Path(snakemake.output.predictions),
        config_json=config,
    )
