"""Write the campaign's dataset (rules/dataset.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.dataset.build import SubsetFiles, build_dataset

with rule_log(snakemake) as config:
    subsets, featurizers = snakemake.params.subsets, snakemake.params.featurizers
    features = iter(snakemake.input.features)  # subset by subset, as the rule expands them
    build_dataset(
        Path(snakemake.output[0]),
        {
            subset: SubsetFiles(
                spectra=Path(snakemake.input.spectra[k]),
                structures=Path(snakemake.input.structures[k]),
                split=Path(snakemake.input.splits[k]),
                features={name: Path(next(features)) for name in featurizers},
            )
            for k, subset in enumerate(subsets)
        },
        campaign=snakemake.params.campaign,
        creator=snakemake.params.creator,
        licence=snakemake.params.licence,
        config=config,
    )
