"""Write the input files of a chunk's sites for their simulation code (rules/inputs.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import path_or_none, rule_log
from xanesflow.inputs.write_chunk import write_inputs

with rule_log(snakemake):
    write_inputs(
        Path(snakemake.input.structures),
        Path(snakemake.input.site_table),
        Path(snakemake.output.inputs),
        Path(snakemake.output.rejected),
        subset=snakemake.wildcards.subset,
        chunk=int(snakemake.wildcards.chunk),
        options=snakemake.params.options,
        only=path_or_none(snakemake.input.only),
        workers=snakemake.threads,
    )
