"""Check a subset's runs and put the good ones on the grid (rules/spectra.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import path_or_none, rule_log
from xanesflow.spectra.curate import curate_spectra

with rule_log(snakemake) as config:
    curate_spectra(
        [Path(path) for path in snakemake.input.chunks],
        subset=snakemake.wildcards.subset,
        structures=Path(snakemake.input.structures),
        site_table=Path(snakemake.input.site_table),
        rejected=[Path(path) for path in snakemake.input.rejected],
        failed=[Path(path) for path in snakemake.input.failed],
        max_failed=snakemake.params.max_failed,
        only=path_or_none(snakemake.input.only),
        output=Path(snakemake.output.spectra),
        rejected_csv=Path(snakemake.output.rejected_csv),
        energy_start_ev=snakemake.params.energy_start_ev,
        envelope_sigma=snakemake.params.envelope_sigma,
        max_flat_start_ev=snakemake.params.max_flat_start_ev,
        processing=snakemake.params.processing,
        inputs=snakemake.params.inputs,
        mixed_settings=snakemake.params.mixed_settings,
        workers=snakemake.threads,
        config=config,
    )
