"""Match the measured spectra of a campaign: all scans against the same candidates, whose spectra are kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.tables import write_rows
from xanesflow.core.text import plural
from xanesflow.matching.choice_model import MatchCalibration
from xanesflow.matching.draw_match import draw_match
from xanesflow.matching.each_scan import each_scan
from xanesflow.matching.get_references import Listener, Wanted, get_references
from xanesflow.matching.rank_candidates import Match, check_k_edge, match_spectrum
from xanesflow.matching.ranking import Reference
from xanesflow.matching.write_match import write_matches
from xanesflow.measured import MeasuredSpectrum, Normalisation, read_measured

log = logging.getLogger("xanesflow")


@dataclass(frozen=True)
class MatchOutputs:
    """What is written: the rankings (.csv), everything (.json), files that cannot be used, a figure for each scan."""

    ranking: Path
    record: Path
    left_out: Path
    figures: Path


def match_files(
    files: Sequence[Path], candidates: Wanted, outputs: MatchOutputs, *, element: str | None = None
) -> None:
    """Rank the candidates for every scan, and write tables and figures.

    A file or scan that cannot be used is named in the table of those left out. Scans may be of several elements; those
    of an element without candidates are left out.

    Args:
        files: measured spectra.
        candidates: structures, and where their spectra come from.
        outputs: files to write; of `outputs.figures`, a folder, `0000.svg` is the figure of the record's first scan.
        element: symbol of the absorber; None: as each file says.

    Raises:
        XanesflowError: no file or no scan can be used, nothing holds any element of the scans, or no candidate
            has a spectrum.
    """
    files_of, left_out = _read(files, Normalisation(element=element))
    listener = Listener(log.info, log.warning, lambda done, of: log.info("%d of %s computed", done, plural(of, "site")))
    known: dict[str, tuple[list[Reference], MatchCalibration, list[str]]] = {}
    lacking: dict[str, XanesflowError] = {}
    for symbol in sorted({spectrum.element for spectrum in files_of}):
        try:
            known[symbol] = get_references(symbol, candidates, listener)
        except XanesflowError as error:
            lacking[symbol] = error

    def answer(spectrum: MeasuredSpectrum) -> Match:
        if error := lacking.get(spectrum.element):
            raise error
        references, calibration, failed = known[spectrum.element]
        found = match_spectrum(spectrum, references, calibration, left_out=failed, model=candidates.model)
        log.info("%s: %s", spectrum.source, found.conclusion)
        return found

    def leave_out(spectrum: MeasuredSpectrum, sentence: str) -> None:
        left_out.append({"file": str(files_of[spectrum]), "detail": sentence})
        log.warning("Left out: %s", sentence)

    matches = each_scan(sorted(files_of, key=lambda each: each.element), answer, leave_out)
    outputs.figures.mkdir(parents=True, exist_ok=True)
    for number, match in enumerate(matches):
        draw_match(outputs.figures / f"{number:04d}.svg", match)
    write_rows(outputs.left_out, ("file", "detail"), left_out)
    write_matches(outputs.record, matches, series=True)
    write_matches(outputs.ranking, matches, series=True)


def _read(files: Iterable[Path], how: Normalisation) -> tuple[dict[MeasuredSpectrum, Path], list[dict[str, str]]]:
    """The spectra with their files, and a row for each file that cannot be used."""
    spectra: dict[MeasuredSpectrum, Path] = {}
    left_out: list[dict[str, str]] = []
    for path in files:
        try:
            found = read_measured(path, normalisation=how)
            for spectrum in found:
                check_k_edge(spectrum)
            spectra |= dict.fromkeys(found, path)
        except XanesflowError as error:
            left_out.append({"file": str(path), "detail": str(error)})
            log.warning("Left out: %s", error)
    if not spectra:
        raise XanesflowError(
            f"{plural(len(left_out), 'measured file')} cannot be used, and there is no other: {left_out[0]['detail']}"
        )
    return spectra, left_out
