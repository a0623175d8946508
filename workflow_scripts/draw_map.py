"""Draw the map of each subset's sites, placed by their features (rules/report.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.report.figures.feature_map_figure import draw_map

with rule_log(snakemake):
    draw_map(
        Path(snakemake.input.map),
        Path(snakemake.input.chemistry),
        dict(zip(snakemake.params.subsets, map(Path, snakemake.output), strict=True)),
    )
