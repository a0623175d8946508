"""Write the tables of how well sites are read from spectra (rules/interpretation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.interpretation.evaluate_interpretation import evaluate_interpretation

with rule_log(snakemake):
    evaluate_interpretation(
        [Path(path) for path in snakemake.input.predictions],
        [Path(path) for path in snakemake.input.robustness],
        [Path(path) for path in snakemake.input.axes],
        metrics_csv=Path(snakemake.output.metrics),
        robustness_csv=Path(snakemake.output.robustness),
        axes_csv=Path(snakemake.output.axes),
    )
