"""Place the sites of all subsets in two dimensions by their features (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.explorer.feature_map import map_features

with rule_log(snakemake):
    map_features(
        Path(snakemake.input[0]),
        Path(snakemake.output[0]),
        features=snakemake.wildcards.features,
        workers=snakemake.threads,
    )
