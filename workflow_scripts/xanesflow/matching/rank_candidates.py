"""Rank candidates by how well their spectra fit a measured one, and say how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import first_of
from xanesflow.matching.choice_model import Expected, MatchCalibration
from xanesflow.matching.conclusion import conclude
from xanesflow.matching.likeness import AFTER_EV, Likeness, Target, fit_candidate, target_of
from xanesflow.matching.ranking import Reference, Row, without_itself
from xanesflow.measured import MeasuredSpectrum

_FEW = 5
_SHARP_EV = 1.0
_LITTLE_EV = 3.0  # that may lack at the end without changing a certainty


@dataclass(frozen=True, eq=False)
class Match:
    """The answer for one measured spectrum."""

    spectrum: MeasuredSpectrum  # the measured one
    target: Target  # the part of it that was compared
    theory: str  # level of theory of the candidates, or `measured`
    model: str  # the model that predicted their spectra; empty if they were computed or measured
    rows: tuple[Row, ...]  # the candidates, the most probable first
    conclusion: str  # what can be said, in a sentence
    warnings: tuple[str, ...]  # sentences on what is known to fail here
    left_out: tuple[str, ...]  # sentences on candidates without a spectrum
    known: dict[str, float]  # shares measured on the known standards (`MatchCalibration.known`)


def expected_of(reference: Reference, element: str, calibration: MatchCalibration) -> Expected:
    """The shift and width that a candidate should need."""
    state = reference.surroundings.oxidation_state if reference.surroundings else None
    return calibration.expects(element, metal=reference.metal, oxidation_state=state)


def check_k_edge(spectrum: MeasuredSpectrum) -> None:
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
    model: str = "",
) -> Match:
    """Compare a measured spectrum with references of its element and rank them; it is no candidate for itself.

    Args:
        spectrum: of a K edge.
        references: the candidates.
        calibration: of their level of theory; if a model predicts them, of the engine whose background they are
            normalised by.
        left_out: sentences on candidates that have no spectrum.
        model: name of the model that predicts them; empty: they are computed or measured.

    Raises:
        XanesflowError: the spectrum is not of a K edge, or no candidate can be compared with it.
    """
    check_k_edge(spectrum)
    target = target_of(spectrum)
    others, itself = without_itself(spectrum, references)
    missing = [*left_out, *itself]
    fitted: list[tuple[Reference, Likeness]] = []
    expectations: list[Expected] = []
    for reference in others:
        try:
            expected = expected_of(reference, spectrum.element, calibration)
            bounds = calibration.bounds(expected)
            fitted.append((reference, fit_candidate(target, reference.curve, bounds, calibration.correction)))
            expectations.append(expected)
        except XanesflowError as error:
            missing.append(f"{reference.id}: {error}")
    if not fitted:
        raise XanesflowError(
            f"No candidate has a spectrum that can be compared with {spectrum.source}"
            + (f" ({missing[-1].rstrip('.')})." if missing else ".")
        )
    # A shorter part is easier to fit, so all are compared over the part that all of them reach.
    reached = min(int(np.isfinite(fit.fitted).sum()) for _, fit in fitted)
    short = [ref.id for ref, fit in fitted if np.isnan(fit.fitted[-1])]
    if short:
        target = Target(target.energy_ev[:reached], target.values[:reached], target.half_step_ev)
        both = zip(fitted, expectations, strict=True)
        fitted = [
            (ref, fit_candidate(target, ref.curve, calibration.bounds(expected), calibration.correction))
            for (ref, _), expected in both
        ]
    certainty = calibration.probabilities([likeness for _, likeness in fitted], expectations)
    order = sorted(range(len(fitted)), key=lambda i: (-certainty[i], fitted[i][1].rms, fitted[i][0].id))
    rows = tuple(Row(rank, *fitted[i], float(certainty[i])) for rank, i in enumerate(order, 1))
    return Match(
        spectrum,
        target,
        calibration.theory,
        model,
        rows,
        conclude(rows, spectrum.element),
        (*_cut(short, target), *_cautions(spectrum, rows, calibration, predicted=bool(model))),
        tuple(missing),
        dict(calibration.known),
    )


def _cut(short: Sequence[str], target: Target) -> list[str]:
    """A sentence if candidates end before the spectrum; `short`: their ids."""
    last = float(target.energy_ev[-1])
    after = last - target.half_step_ev
    if not short or after > AFTER_EV - _LITTLE_EV:
        return []
    return [
        f"All candidates are compared only up to {last:.0f} eV, {after:.0f} eV after the edge, because "
        f"{first_of(short)} {'ends' if len(short) == 1 else 'end'} there; the certainty was learned from "
        f"{AFTER_EV:g} eV and may not hold, so leave out what is short."
    ]


def _cautions(
    spectrum: MeasuredSpectrum, rows: Sequence[Row], calibration: MatchCalibration, *, predicted: bool
) -> Iterator[str]:
    """What is known to fail when computed and measured spectra are compared, said where it may apply."""
    best = rows[0].likeness
    if best.rms > calibration.rms_of_right:
        closest = min(rows, key=lambda row: row.likeness.rms)
        better = closest.likeness.rms < min(best.rms, calibration.rms_of_right)
        which = f", though {closest.reference.short_name} has {closest.likeness.rms:.3f}" if better else ""
        yield (
            f"The most probable candidate fits badly (RMS {best.rms:.3f}{which}; nine in ten right ones are below "
            f"{calibration.rms_of_right:.3f}): the sample may be none of them, a mixture, or damped by self-absorption."
        )
    carbonates = [row.reference.short_name for row in rows if row.reference.carbonate]
    if calibration.computed and carbonates:
        yield (
            f"The two main peaks of carbonates are computed with the wrong intensities, so {first_of(carbonates)} "
            "may be the right answer at any rank."
        )
    if spectrum.parameters.get("mode") == "fluorescence":
        yield (
            "This is fluorescence: in a thick or concentrated sample self-absorption lowers the peaks, and another "
            "candidate may then look right."
        )
    if calibration.computed and best.width_ev <= _SHARP_EV:
        yield (
            "The spectrum is about as sharp as a computed one; if it was measured with high energy resolution "
            "(HERFD), its pre-edge and peaks differ from the standards that the certainty was learned from."
        )
    if calibration.computed and not any(spectrum.element in of_class for of_class in calibration.expected.values()):
        yield f"No standard of {spectrum.element} was among those that the certainty was learned from."
    if predicted:
        yield (
            "Predicted spectra are normalised by the engine's background; the certainty was learned from "
            f"{calibration.theory} and may not hold for this model."
        )
    if len(rows) < _FEW:
        counted = "candidate was" if len(rows) == 1 else "candidates were"
        yield (f"Only {len(rows)} {counted} compared; the certainty holds only if the right structure is among them.")
