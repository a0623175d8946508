"""Compute features of a subset's sites from runs of a cheaper level of theory (rules/cheap_runs.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.features.cheap_runs.collect_features import collect_cheap_runs

with rule_log(snakemake) as config:
    collect_cheap_runs(
        [Path(path) for path in snakemake.input.chunks],
        Path(snakemake.output[0]),
        name=snakemake.params.name,
        subset=snakemake.wildcards.subset,
        structures=Path(snakemake.input.structures),
        site_table=Path(snakemake.input.site_table),
        energy_start_ev=snakemake.params.energy_start_ev,
        mixed_settings=snakemake.params.mixed_settings,
        workers=snakemake.threads,
        config_json=config,
    )
