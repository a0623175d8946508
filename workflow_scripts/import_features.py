"""Import a subset's features and spectra from a file (rules/import.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.dataset.import_features import import_features

with rule_log(snakemake) as config:
    import_features(
        Path(snakemake.input[0]),
        subset=snakemake.wildcards.subset,
        energy_start_ev=snakemake.params.energy_start_ev,
        spectra=Path(snakemake.output.spectra),
        rejected_csv=Path(snakemake.output.rejected_csv),
        structures=Path(snakemake.output.structures),
        features=dict(zip(snakemake.params.featurizers, map(Path, snakemake.output.features), strict=True)),
        config=config,
    )
