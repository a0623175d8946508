"""Write metrics.csv, a row per model, features, subset and seed, and calibration.csv (rules/evaluation.smk)."""

from pathlib import Path

from xanesflow.evaluation.evaluate import evaluate_models
from xanesflow.scripting import rule_log

with rule_log(snakemake):
    evaluate_models(
        [Path(path) for path in snakemake.input],
        Path(snakemake.output.metrics),
        Path(snakemake.output.calibration),
    )
