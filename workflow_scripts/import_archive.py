"""Import the finished runs of a subset from an archive (rules/simulations.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.simulations.import_archive import import_archive

with rule_log(snakemake):
    import_archive(
        snakemake.input.archive,
        subset=snakemake.params.subset,
        chunks=[Path(path) for path in snakemake.output.chunks],
        structures=Path(snakemake.output.structures),
        site_table=Path(snakemake.output.site_table),
        rejected=Path(snakemake.output.rejected),
        symprec=snakemake.params.symprec,
        workers=snakemake.threads,
    )
