"""Draw the spectra of the disordered crystals of a subset (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.disordered import draw_disordered

with rule_log(snakemake):
    draw_disordered(Path(snakemake.input.spectra), Path(snakemake.input.sites), Path(snakemake.output[0]))
