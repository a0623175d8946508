"""Compare and draw all levels of theory of an element (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.codes import draw_codes

with rule_log(snakemake):
    output, names = snakemake.output, snakemake.params.subsets
    draw_codes(
        {name: Path(path) for name, path in zip(names, snakemake.input.spectra, strict=True)},
        {name: Path(path) for name, path in zip(names, snakemake.input.structures, strict=False)},
        table=Path(output.table),
        output=Path(output.figure),
    )
