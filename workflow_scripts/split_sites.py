"""Put each curated spectrum of a subset into the training, validation or test part (rules/dataset.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.dataset.splits import split_sites

with rule_log(snakemake):
    split_sites(
        Path(snakemake.input.spectra),
        Path(snakemake.output.split),
        Path(snakemake.output.unmatched),
        subset=snakemake.wildcards.subset,
        files=snakemake.params.files,
        seed=snakemake.params.seed,
        fractions=snakemake.params.fractions,
    )
