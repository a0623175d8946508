"""Find problems of a spectrum: no edge, few points, noise, spikes."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural
from xanesflow.measured.measured_spectrum import Range

FEWEST_POINTS = 30
FEWEST_AT_EDGE = 8  # within 10 eV of the edge's energy, on both sides together
WIDEST_GAP_EV = 5.0  # between the two points that half of the step lies between
FEW_NEAR_EDGE = 25  # from 10 eV before to 40 eV after it
LEAST_JUMP = 2e-3  # fraction of the scan's whole range of values
LEAST_OVER_NOISE = 2.5  # of averages, which single points hardly change
_LONGEST = 6  # points in a row, as while a beam is lost for a moment
_PEAKS_EV = 25.0  # before the edge; a pre-edge peak measured coarsely looks like some points that stand out
LEAST_RISE, MOST_NOISE, MUCH_NOISE = 0.5, 0.25, 0.03


def no_edge(name: str) -> XanesflowError:
    """The error for data without an edge."""
    return XanesflowError(
        f"{name} shows no absorption edge, no clear step from one level to a higher one; check that the columns "
        "are right (--columns for text), that the scan holds the edge, and that --pre and --post suit it, or name the "
        "edge's energy with --e0."
    )


def check_points(energy: Floats, name: str) -> None:
    """Refuse a scan of few points.

    Raises:
        XanesflowError: it has fewer than `FEWEST_POINTS`.
    """
    if len(energy) < FEWEST_POINTS:
        raise XanesflowError(
            f"{name} has {plural(len(energy), 'usable point')}, too few for a spectrum; give the whole scan."
        )


def check_gap(energy: Floats, half: float, name: str) -> None:
    """Refuse a spectrum whose edge lies where it has no points, so that its energy would be made up.

    Raises:
        XanesflowError: the points on both sides of half of the step are more than `WIDEST_GAP_EV` apart.
    """
    right = int(np.clip(np.searchsorted(energy, half), 1, len(energy) - 1))
    if energy[right] - energy[right - 1] > WIDEST_GAP_EV:
        raise XanesflowError(
            f"{name} has no points between {energy[right - 1]:.1f} and {energy[right]:.1f} eV, where its edge lies; "
            "give a scan with points there (and check --exclude)."
        )


def stands_out(mu: Floats, energy: Floats, jump: float) -> bool:
    """Whether a step stands out from rounding, from the slope of the whole scan, and from noise.

    Args:
        mu: (n,) absorption.
        energy: (n,) in eV, rising.
        jump: difference of averages over some 20 eV on both sides, in units of `mu`.
    """
    spread = 1.4826 * float(np.median(np.abs(_from_neighbours(energy, mu)))) / np.sqrt(1.5)
    return abs(jump) > max(LEAST_JUMP * float(np.ptp(mu)), LEAST_OVER_NOISE * spread)


def check_rise(energy: Floats, normalised: Floats, half: float, name: str) -> None:
    """Refuse a normalised spectrum without a sharp step above the noise.

    Raises:
        XanesflowError: there is no such step, or too few points show it.
    """
    if np.sum(np.abs(energy - half) <= 10) < FEWEST_AT_EDGE:
        raise XanesflowError(
            f"{name} has fewer than {FEWEST_AT_EDGE} points within 10 eV of the edge at {half:.0f} eV, too few to show "
            "it; give a scan with finer steps at the edge."
        )
    before = normalised[(energy > half - 80) & (energy < half - 12)]
    if not len(before):
        before = normalised[energy < half - 5]
    behind = normalised[(energy > half + 10) & (energy < half + 60)]
    if not len(before) or not len(behind) or np.median(behind) - np.median(before) < LEAST_RISE:
        raise no_edge(name)
    if noise(energy, normalised, half) > MOST_NOISE:
        raise XanesflowError(
            f"{name}: the noise is {noise(energy, normalised, half):.0%} of the edge step, too much to be used; "
            "merge more scans, or check that the columns are right (--columns)."
        )


def noise(energy: Floats, normalised: Floats, half: float) -> float:
    """Standard deviation of a point in units of the edge step, from distances to the line between its neighbours."""
    away = np.abs(energy[1:-1] - half) > 15
    differences = _from_neighbours(energy, normalised)[away]
    if len(differences) < 5:
        return float("nan")
    return float(1.4826 * np.median(np.abs(differences)) / np.sqrt(1.5))


def spikes(energy: Floats, normalised: Floats, half: float) -> list[Range]:
    """First and last energies of single points, and of up to `_LONGEST` in a row, that stand out from both sides.

    The two points on each side agree with each other, in a row more closely, as a coarsely measured peak has flanks.
    """
    least = max(8 * np.fmax(noise(energy, normalised, half), 1e-4), 0.06)  # the noise may be NaN
    ends, values = np.pad(energy, 1, mode="edge"), np.pad(normalised, 1, mode="edge")
    found = []
    for length in range(1, min(_LONGEST, len(energy) - 2) + 1):
        e, y = (sliding_window_view(each, length + 4, axis=0) for each in (ends, values))
        share = (e[:, 2:-2] - e[:, 1:2]) / (e[:, -2] - e[:, 1])[:, None]
        out = y[:, 2:-2] - (y[:, 1:2] + share * (y[:, -2] - y[:, 1])[:, None])
        out = np.maximum(out.min(axis=1), -out.max(axis=1))  # of the least, where all lie on one side
        apart = np.max(np.abs([y[:, -2] - y[:, 1], y[:, 1] - y[:, 0], y[:, -1] - y[:, -2]]), axis=0)
        good = (out > least) & (apart < (0.4 if length == 1 else 0.15) * out)
        if length > 1:  # where a pre-edge peak may be
            good &= (e[:, -3] < half - _PEAKS_EV) | (e[:, 2] > half)
        at = np.flatnonzero(good)
        found += [(float(energy[n + 1]), float(energy[n + length])) for n in at]
    return sorted(found)


def remarks(energy: Floats, mu: Floats, normalised: Floats, half: float) -> list[str]:
    """Sentences on spikes, noise, coarse steps and saturation."""
    found = []
    at = spikes(energy, normalised, half)
    if at:
        shown = ", ".join(f"{a:.1f}" if a == b else f"{a:.1f} to {b:.1f}" for a, b in at[:3])
        found.append(
            f"{'single points' if all(a == b for a, b in at) else 'points'} stand out at {shown}"
            f"{', …' if len(at) > 3 else ''} eV; if they are spikes, leave them out, "
            f"--exclude {at[0][0] - 0.05:.2f}:{at[0][1] + 0.05:.2f}"
        )
    level = noise(energy, normalised, half)
    if level > MUCH_NOISE:
        found.append(f"the noise is {level:.1%} of the edge step")
    near = int(np.sum((energy > half - 10) & (energy < half + 40)))
    if near < FEW_NEAR_EDGE:
        found.append(f"{plural(near, 'point')} from 10 eV before to 40 eV after the edge, so that details are lost")
    behind = mu[(energy > half) & (energy < half + 60)]
    if len(behind) > 5 and np.sum(behind == behind.max()) >= 5:
        found.append("the signal stays at one value after the edge, as of a detector that saturates")
    return found


def _from_neighbours(energy: Floats, values: Floats) -> Floats:
    """(n − 2,) how far each point is from the straight line between its neighbours."""
    share = (energy[1:-1] - energy[:-2]) / (energy[2:] - energy[:-2])
    found: Floats = values[1:-1] - (values[:-2] + share * (values[2:] - values[:-2]))
    return found
