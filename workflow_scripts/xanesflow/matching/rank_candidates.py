"""Rank candidates by how well their spectra fit a measured one, and say how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xanesflow.core.errors import XanesflowError
from xanesflow.matching.cautions import warn
from xanesflow.matching.choice_model import Expected, MatchCalibration
from xanesflow.matching.conclusion import conclude
from xanesflow.matching.likeness import Likeness, Target, fit_candidate, target_of
from xanesflow.matching.ranking import Reference, Row
from xanesflow.measured import MeasuredSpectrum


@dataclass(frozen=True, eq=False)
class Match:
    """The answer for one measured spectrum."""

    spectrum: MeasuredSpectrum  # the measured one
    target: Target  # the part of it that was compared
    theory: str  # level of theory of the candidates, or `measured`
    rows: tuple[Row, ...]  # the candidates, the most probable first
    conclusion: str  # what can be said, in a sentence
    warnings: tuple[str, ...]  # sentences on what is known to fail here
    left_out: tuple[str, ...]  # sentences on candidates without a spectrum
    known: dict[str, float]  # shares measured on the known standards (`MatchCalibration.known`)


def expected_of(reference: Reference, element: str, calibration: MatchCalibration) -> Expected:
    """The shift and width that a candidate should need."""
    state = reference.surroundings.oxidation_state if reference.surroundings else None
    return calibration.expects(element, metal=reference.metal, oxidation_state=state)


def check_edge(spectrum: MeasuredSpectrum) -> None:
    """Refuse edges that nothing is computed for.

    Raises:
        XanesflowError: the spectrum is not of a K edge.
    """
    if spectrum.edge != "K":
        raise XanesflowError(
            f"{spectrum.source} is an {spectrum.edge} edge of {spectrum.element}; only K edges can be compared."
        )


def match_spectrum(
    spectrum: MeasuredSpectrum,
    references: Sequence[Reference],
    calibration: MatchCalibration,
    *,
    left_out: Iterable[str] = (),
) -> Match:
    """Compare a measured spectrum with references of its element and rank them.

    Args:
        spectrum: of a K edge.
        references: the candidates.
        calibration: of their level of theory.
        left_out: sentences on candidates that have no spectrum.

    Raises:
        XanesflowError: the spectrum is not of a K edge, or no candidate can be compared with it.
    """
    check_edge(spectrum)
    target = target_of(spectrum)
    missing = list(left_out)
    fitted: list[tuple[Reference, Likeness]] = []
    for reference in references:
        try:
            expected = expected_of(reference, spectrum.element, calibration)
            bounds = calibration.bounds(expected)
            fitted.append((reference, fit_candidate(target, reference.curve, bounds, calibration.correction)))
        except XanesflowError as error:
            missing.append(f"{reference.id}: {error}")
    if not fitted:
        raise XanesflowError(
            f"No candidate has a spectrum that can be compared with {spectrum.source}"
            + (f" ({missing[0]})." if missing else ".")
        )
    expectations = [expected_of(reference, spectrum.element, calibration) for reference, _ in fitted]
    certainty = calibration.probabilities([likeness for _, likeness in fitted], expectations)
    order = sorted(range(len(fitted)), key=lambda i: (-certainty[i], fitted[i][1].rms, fitted[i][0].id))
    rows = tuple(Row(rank, *fitted[i], float(certainty[i])) for rank, i in enumerate(order, 1))
    return Match(
        spectrum,
        target,
        calibration.theory,
        rows,
        conclude(rows, spectrum.element),
        tuple(warn(spectrum, rows, calibration)),
        tuple(missing),
        dict(calibration.known),
    )
