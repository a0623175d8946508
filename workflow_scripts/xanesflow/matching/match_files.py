"""Match the measured spectra of a campaign: all scans against the same candidates, whose spectra are kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural
from xanesflow.matching.candidates import Narrowing, find_candidates
from xanesflow.matching.choice_model import read_calibration
from xanesflow.matching.compute_candidates import Site, compute_missing, default_theory, make_engine, plan_spectra
from xanesflow.matching.draw_match import draw_match
from xanesflow.matching.rank_candidates import Match, check_edge, match_spectrum
from xanesflow.matching.ranking import Reference
from xanesflow.matching.references import computed_references, material_spectra
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum
from xanesflow.matching.write_match import write_matches, write_table
from xanesflow.measured import MeasuredSpectrum, Normalisation, read_measured

log = logging.getLogger("xanesflow")


@dataclass(frozen=True)
class CandidateSpectra:
    """Which candidates there are, and where their spectra come from.

    Attributes:
        names: as `candidates.find_candidates` takes them.
        narrowing: which are kept.
        theory: level of theory that computes them; None: the embedded engine.
        kept: folder of computed spectra.
        workers: sites at a time.
    """

    names: tuple[str, ...]
    narrowing: Narrowing
    theory: str | None
    kept: Path
    workers: int = 1


@dataclass(frozen=True)
class MatchOutputs:
    """What is written: the rankings (.csv), everything (.json), files that cannot be used, a figure for each scan."""

    ranking: Path
    record: Path
    left_out: Path
    figures: Path


def match_files(
    files: Sequence[Path], candidates: CandidateSpectra, outputs: MatchOutputs, *, element: str | None = None
) -> None:
    """Rank the candidates for every scan, and write tables and figures.

    A file that cannot be used is named in the table of those left out. Scans may be of several elements.

    Args:
        files: measured spectra.
        candidates: structures.
        outputs: files to write; of `outputs.figures`, a folder, `0000.svg` is the figure of the record's first scan.
        element: symbol of the absorber; None: as each file says.

    Raises:
        XanesflowError: no file can be used, nothing holds an element of the scans, or no candidate has a spectrum.
    """
    spectra, left_out = _read(files, Normalisation(element=element))
    matches: list[Match] = []
    for symbol in sorted({spectrum.element for spectrum in spectra}):
        references, failed = _references(symbol, candidates)
        calibration = read_calibration(candidates.theory or default_theory())
        for spectrum in spectra:
            if spectrum.element == symbol:
                matches.append(match_spectrum(spectrum, references, calibration, left_out=failed))
                log.info("%s: %s", spectrum.source, matches[-1].conclusion)
    outputs.figures.mkdir(parents=True, exist_ok=True)
    for number, match in enumerate(matches):
        draw_match(outputs.figures / f"{number:04d}.svg", match)
    write_table(outputs.left_out, ("file", "detail"), left_out)
    write_matches(outputs.record, matches)
    write_matches(outputs.ranking, matches)


def _read(files: Iterable[Path], how: Normalisation) -> tuple[list[MeasuredSpectrum], list[dict[str, str]]]:
    """The spectra, and a row for each file that cannot be used."""
    spectra: list[MeasuredSpectrum] = []
    left_out: list[dict[str, str]] = []
    for path in files:
        try:
            found = read_measured(path, normalisation=how)
            for spectrum in found:
                check_edge(spectrum)
            spectra += found
        except XanesflowError as error:
            left_out.append({"file": str(path), "detail": str(error)})
            log.warning("Left out: %s", error)
    if not spectra:
        raise XanesflowError(
            f"{plural(len(left_out), 'measured file')} cannot be used, and there is no other: {left_out[0]['detail']}"
        )
    return spectra, left_out


def _references(element: str, given: CandidateSpectra) -> tuple[list[Reference], list[str]]:
    """The candidates of an element with their spectra, and sentences on those without."""
    candidates, refused = find_candidates(given.names, element, given.narrowing)
    engine = make_engine(given.theory or default_theory())
    store = SpectrumStore(engine.theory, given.kept)
    plan = plan_spectra(candidates, engine, store)
    log.info(
        "%s of %s with %s: %d to compute with %s",
        plural(len(candidates), "candidate"), element, plural(len(plan.sites), "site"), len(plan.missing),
        engine.theory,
    )  # fmt: skip

    def done(site: Site, spectrum: StoredSpectrum) -> None:
        log.info("%s, site %d: %s", site.material_id, site.index, spectrum.failure or "computed")

    spectra = compute_missing(plan, engine, store, workers=given.workers, done=done)
    found, failed = material_spectra(candidates, plan, spectra)
    return computed_references(candidates, found, given.kept), refused + failed
