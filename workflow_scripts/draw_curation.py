"""Draw what curation kept and left out of a subset (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import path_or_none, rule_log
from xanesflow.report.figures.curation import draw_curation
from xanesflow.report.figures.left_out import draw_examples
from xanesflow.report.figures.named_spectra import draw_named_spectra

with rule_log(snakemake):
    spectra = Path(snakemake.input.spectra)
    draw_curation(spectra, Path(snakemake.output.kept))
    draw_examples(spectra, Path(snakemake.output.examples))
    draw_named_spectra(spectra, path_or_none(snakemake.input.structures), Path(snakemake.output.named))
