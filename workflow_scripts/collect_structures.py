"""Take the structures of a subset from a folder, the example library or Materials Project (rules/structures.smk)."""

from pathlib import Path

from xanesflow.scripting import rule_log
from xanesflow.structures.collect import collect_structures

with rule_log(snakemake):
    directory = snakemake.input.directory  # none for the example library
    queried = [Path(path) for path in snakemake.input.queried]  # none but for Materials Project
    collect_structures(
        source=snakemake.params.source,
        directory=Path(directory[0]) if directory else None,
        subset=snakemake.wildcards.subset,
        queried=(queried[0], queried[1]) if queried else None,
        id_files=list(snakemake.input.ids),
        only=snakemake.params.only,
        structures=Path(snakemake.output.structures),
        site_table=Path(snakemake.output.site_table),
        rejected=Path(snakemake.output.rejected),
        chunks=snakemake.params.n_chunks,
        symprec=snakemake.params.symprec,
        workers=snakemake.threads,
    )
