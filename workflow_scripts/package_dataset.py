"""Package the dataset as a folder for a repository such as Zenodo (rules/dataset.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.dataset.share.package import package_dataset

with rule_log(snakemake):
    package_dataset(
        Path(snakemake.input[0]),
        Path(snakemake.output[0]).parent,
        version=snakemake.params.version,
        url=snakemake.params.url,
    )
