"""Take the structures of a subset from a folder, the example library or a database (rules/structures.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import path_or_none, rule_log
from xanesflow.structures.collect_structures import collect_structures
from xanesflow.structures.disorder.represent import Disorder

with rule_log(snakemake):
    queried = [Path(path) for path in snakemake.input.queried]  # empty unless the source is a database
    collect_structures(
        source=snakemake.params.source,
        directory=path_or_none(snakemake.input.directory),  # none for the example library
        subset=snakemake.wildcards.subset,
        queried=(queried[0], queried[1]) if queried else None,
        id_files=list(snakemake.input.ids),
        only=snakemake.params.only,
        duplicates=snakemake.params.duplicates,
        near_duplicates=Path(snakemake.output.near_duplicates),
        disorder=Disorder(**snakemake.params.disorder),
        structures=Path(snakemake.output.structures),
        site_table=Path(snakemake.output.site_table),
        rejected=Path(snakemake.output.rejected),
        chunks=snakemake.params.n_chunks,
        symprec=snakemake.params.symprec,
        cost_options=snakemake.params.cost_options,
        workers=snakemake.threads,
    )
