"""Rank candidates by how well their spectra fit a measured one, and say how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from xanesflow.core.errors import XanesflowError
from xanesflow.matching.cautions import warn
from xanesflow.matching.choice_model import Calibration
from xanesflow.matching.conclusion import conclude
from xanesflow.matching.likeness import Curve, Likeness, Target, fit_candidate, target_of
from xanesflow.matching.surroundings import Surroundings
from xanesflow.measured import MeasuredSpectrum


@dataclass(frozen=True, eq=False)
class Reference:
    """A candidate's spectrum, computed or measured.

    Attributes:
        id: of the candidate.
        name: of the mineral, compound or sample; may be empty.
        formula: reduced; empty if it is not known.
        curve: its normalised spectrum.
        metal: whether it is a metal or an alloy.
        carbonate: whether it is a carbonate.
        surroundings: of the absorber; None if they are not known.
    """

    id: str
    name: str
    formula: str
    curve: Curve
    metal: bool = False
    carbonate: bool = False
    surroundings: Surroundings | None = None

    @property
    def short_name(self) -> str:
        """Name without what follows a comma; formula or id where there is no name."""
        return self.name.split(",")[0] or self.formula or self.id


@dataclass(frozen=True, eq=False)
class Row:
    """A ranked candidate.

    Attributes:
        rank: from 1 on.
        reference: the candidate.
        likeness: how well it fits.
        certainty: probability that it is the right one, if the right one is among the candidates.
    """

    rank: int
    reference: Reference
    likeness: Likeness
    certainty: float


@dataclass(frozen=True, eq=False)
class Match:
    """The answer for one measured spectrum.

    Attributes:
        spectrum: the measured one.
        target: the part of it that was compared.
        theory: level of theory of the candidates, or `measured`.
        rows: the candidates, the most probable first.
        conclusion: what can be said, in a sentence.
        warnings: sentences on what is known to fail here.
        left_out: sentences on candidates without a spectrum.
        known: shares measured on the known standards (`Calibration.known`).
    """

    spectrum: MeasuredSpectrum
    target: Target
    theory: str
    rows: tuple[Row, ...]
    conclusion: str
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]
    known: dict[str, float]


def match_spectrum(
    spectrum: MeasuredSpectrum,
    references: Sequence[Reference],
    calibration: Calibration,
    *,
    left_out: Iterable[str] = (),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Match:
    """Compare a measured spectrum with references of its element and rank them.

    Args:
        spectrum: of a K edge.
        references: the candidates.
        calibration: of their level of theory.
        left_out: sentences on candidates that have no spectrum.
        progress: called as `progress(done, of)`.

    Raises:
        XanesflowError: the spectrum is not of a K edge, or no candidate can be compared with it.
    """
    if spectrum.edge != "K":
        raise XanesflowError(
            f"{spectrum.source} is an {spectrum.edge} edge of {spectrum.element}; only K edges can be matched."
        )
    target = target_of(spectrum)
    missing = list(left_out)
    fitted: list[tuple[Reference, Likeness]] = []
    for number, reference in enumerate(references, 1):
        try:
            bounds = calibration.bounds(spectrum.element, metal=reference.metal)
            fitted.append((reference, fit_candidate(target, reference.curve, bounds, calibration.correction)))
        except XanesflowError as error:
            missing.append(f"{reference.id}: {error}")
        progress(number, len(references))
    if not fitted:
        raise XanesflowError(
            f"No candidate has a spectrum that can be compared with {spectrum.source}"
            + (f" ({missing[0]})." if missing else ".")
        )
    expected = [calibration.expected_shift(spectrum.element, metal=reference.metal) for reference, _ in fitted]
    certainty = calibration.probabilities([likeness for _, likeness in fitted], expected)
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
