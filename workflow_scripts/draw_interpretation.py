"""Draw how well sites are read from spectra (rules/interpretation.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.interpretation.draw_interpretation import draw_interpretation

with rule_log(snakemake):
    draw_interpretation(
        snakemake.wildcards.subset,
        robustness=Path(snakemake.input.robustness),
        axes=Path(snakemake.input.axes),
        predictions=[Path(path) for path in snakemake.input.predictions],
        models=[Path(path) for path in snakemake.input.models],
        outputs={name: Path(path) for name, path in snakemake.output.items()},
    )
