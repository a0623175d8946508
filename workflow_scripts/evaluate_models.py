"""Write the tables of how good the models are, how certain that is, and which is better (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.evaluation.evaluate import evaluate_models

with rule_log(snakemake):
    evaluate_models(
        [Path(path) for path in snakemake.input],
        Path(snakemake.output.metrics),
        Path(snakemake.output.calibration),
        intervals_csv=Path(snakemake.output.intervals),
        significance_csv=Path(snakemake.output.significance),
    )
