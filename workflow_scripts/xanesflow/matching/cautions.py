"""What is known to fail when computed and measured spectra are compared, said where it may apply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xanesflow.core.text import first_of
from xanesflow.matching.choice_model import MatchCalibration
from xanesflow.matching.ranking import Row
from xanesflow.measured import MeasuredSpectrum

_FEW = 5
_SHARP_EV = 1.0


def warn(spectrum: MeasuredSpectrum, rows: Sequence[Row], calibration: MatchCalibration) -> Iterator[str]:
    """Sentences for the user.

    Args:
        spectrum: the measured one.
        rows: its candidates, the most probable first.
        calibration: what was learned from the standards.
    """
    best = rows[0].likeness
    computed = calibration.theory != "measured"
    if best.rms > calibration.rms_of_right:
        yield (
            f"Even the best candidate fits badly (RMS {best.rms:.3f}; nine in ten right ones are below "
            f"{calibration.rms_of_right:.3f}): the sample may be none of them, a mixture, or damped by self-absorption."
        )
    carbonates = [row.reference.short_name for row in rows if row.reference.carbonate]
    if computed and carbonates:
        yield (
            f"The two main peaks of carbonates are computed with the wrong intensities, so {first_of(carbonates)} "
            "may be the right answer at any rank."
        )
    if spectrum.parameters.get("mode") == "fluorescence":
        yield (
            "This is fluorescence: in a thick or concentrated sample self-absorption lowers the peaks, and another "
            "candidate may then look right."
        )
    if computed and best.width_ev <= _SHARP_EV:
        yield (
            "The spectrum is about as sharp as a computed one; if it was measured with high energy resolution "
            "(HERFD), its pre-edge and peaks differ from the standards that the certainty was learned from."
        )
    if computed and not any(spectrum.element in of_class for of_class in calibration.expected.values()):
        yield f"No standard of {spectrum.element} was among those that the certainty was learned from."
    if len(rows) < _FEW:
        counted = "candidate was" if len(rows) == 1 else "candidates were"
        yield (f"Only {len(rows)} {counted} compared; the certainty holds only if the right structure is among them.")
