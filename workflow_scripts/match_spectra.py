"""Rank candidate structures for measured spectra (rules/measured.smk)."""

from pathlib import Path

from xanesflow.config.rule_script import rule_log
from xanesflow.matching.candidates import Narrowing
from xanesflow.matching.match_files import CandidateSpectra, MatchOutputs, match_files

with rule_log(snakemake):
    given = snakemake.params.given
    match_files(
        [Path(path) for path in snakemake.input.files],
        CandidateSpectra(
            tuple(snakemake.params.candidates),
            Narrowing(frozenset(given["contains"]), given["max_atoms"]),
            given["theory"],
            Path(snakemake.params.kept),
            snakemake.threads,
        ),
        MatchOutputs(**{name: Path(path) for name, path in snakemake.output.items()}),
        element=given["element"],
    )
