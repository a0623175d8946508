"""Read the measured structures of an element from the database of minerals (rules/structures.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.structures.amcsd.choose_entries import Filters
from xanesflow.structures.amcsd.read_minerals import read_minerals
from xanesflow.structures.disorder.represent import Disorder

with rule_log(snakemake):
    read_minerals(
        element=snakemake.wildcards.element,
        systems=list(snakemake.params.systems),
        filters=Filters(**snakemake.params.filters),
        disorder=Disorder(**snakemake.params.disorder),
        structures=Path(snakemake.output.structures),
        manifest=Path(snakemake.output.manifest),
        workers=snakemake.threads,
    )
