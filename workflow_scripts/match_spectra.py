"""Rank candidate structures for measured spectra (rules/measured.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.matching.candidates import Narrowing
from xanesflow.matching.compute_candidates import DEFAULT_THEORY
from xanesflow.matching.get_references import Wanted
from xanesflow.matching.match_files import MatchOutputs, match_files

with rule_log(snakemake):
    given = snakemake.params.given
    match_files(
        [Path(path) for path in snakemake.input.files],
        Wanted(
            tuple(snakemake.params.candidates),
            given["theory"] or DEFAULT_THEORY,
            narrowing=Narrowing(frozenset(given["contains"]), given["max_atoms"]),
            cache=Path(snakemake.params.kept),
            workers=snakemake.threads,
        ),
        MatchOutputs(**{name: Path(path) for name, path in snakemake.output.items()}),
        element=given["element"],
    )
