"""Normalise a scan with Larch, find the edge at the last crossing of half the step, and refuse unusable scans."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.provenance import versions
from xanesflow.measured import quality
from xanesflow.measured.edges import ABOVE_EV, BELOW_EV, check_coverage, identify, nearer_edge, read_edge, tabulated_ev
from xanesflow.measured.find_edge import coarse_edge, last_half_crossing
from xanesflow.measured.measured_spectrum import MeasuredSpectrum, Normalisation, Range, Scan
from xanesflow.measured.other_edges import another_edge

LEAST_EV = (12.0, 30.0)
"""Smallest range that a scan must cover before and after the edge."""

LEAST_NORMALISED_EV = (5.0, 20.0)
"""The same for a spectrum that is normalised already; computed ones begin and end close to the edge."""

FEW_BEFORE_EV, FEW_AFTER_EV = 30.0, 100.0
"""If a scan covers less than this, a remark says that the normalisation is uncertain."""

_LEVEL_EV, _LEVEL_TRIED_EV = 20.0, 35.0
"""A scan with less before the edge has a constant subtracted, as a pre-edge peak would tilt a line; with less than the
second, if it shows no edge with a line."""

_JUDGED_EV = 100.0
"""A normalised spectrum is about 1 up to here after its edge; beyond, it keeps the slope of µ."""

STATED = "as the file states"
"""Where the E0 of a table of `xanesflow measured` is from."""

_CLEAR_EV = 25.0
"""The fit after the edge ends so far before another element's edge."""

_LEAST_OF_LARGEST = 0.25
"""A stated edge is searched near its tabulated energy if its step is at least this share of a larger, later one."""

_SETTLED_EV = 0.005
_MOST_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class _Fit:
    """The result of Larch's pre_edge: curves of (n,), the step, and the ranges relative to E0."""

    step: float
    norm: Floats
    flat: Floats
    before: Floats
    behind: Floats
    pre: Range
    post: Range
    order: int
    constant: bool


@dataclass(frozen=True)
class _Choice:
    """The fit of the line and the polynomial; None leaves the choice to Larch."""

    pre: Range | None  # absolute energies in eV, of a project
    post: Range | None
    order: int | None
    step: float | None
    source: str
    asked_pre: Range | None = None  # eV relative to the edge, of the user
    asked_post: Range | None = None
    level: bool = False  # whether a constant takes the place of the line
    end_ev: float | None = None  # where Larch's range after the edge ends, before another edge


def normalise(scan: Scan, options: Normalisation | None = None) -> MeasuredSpectrum:
    """Normalise a scan.

    The edge is the energy at which the normalised spectrum last crosses one half. The normalisation depends on it, so
    both are repeated until the edge stays. The ranges are the user's, else an Athena project's, else Larch's.

    Args:
        scan: as it was read.
        options: the user's choices; by default everything follows from the scan.

    Raises:
        XanesflowError: there is no edge in it, too little before or after it, or it is of another element.
    """
    options = options or Normalisation()
    e0_from = "given" if options.e0_ev is not None else STATED
    options = replace(options, e0_ev=scan.e0_ev) if options.e0_ev is None else options
    name, energy = scan.source, scan.energy_ev
    # Check the stated element first, because a wrong one explains most other mistakes.
    element, edge = read_edge(options.element or scan.element, options.edge or scan.edge, name)
    if element and edge and len(energy):
        check_coverage(element, edge, energy[0], energy[-1], name)
    quality.check_points(energy, name)
    start = _start(scan, options, element, edge)
    others: list[str] = []

    # Fit, unless the spectrum is already normalised, and find where it crosses one half.
    if scan.mode == "normalised":
        fit, half, choice = _as_it_stands(scan, start)
    else:
        choice = _choice(scan, options, start)
        fit, half = _settle_or_level(scan, start, choice, options.e0_ev)
        if other := another_edge(energy, fit.flat, half, quality.noise(energy, fit.flat, half), element):
            rises, called = other
            said = f"another edge, perhaps {called}, rises at {rises:.0f} eV"
            if not choice.post and not options.post:
                choice = replace(choice, end_ev=rises - _CLEAR_EV)
                fit, half = _settle_or_level(scan, start, choice, options.e0_ev)
                others.append(f"{said}; the fit after the edge ends {_CLEAR_EV:.0f} eV before it")
            elif half + fit.post[1] > rises:
                others.append(f"{said}, within the fit after the edge; end it before that with --post")
    _check_room(energy, half, name, LEAST_NORMALISED_EV if scan.mode == "normalised" else LEAST_EV)
    quality.check_gap(energy, half, name)
    # Find the absorber from the edge, and record how the result was obtained.
    symbol, level, origin = identify(half, element, edge, name)
    remarks = [*scan.remarks, *others, *quality.remarks(energy, scan.mu, fit.norm, half)]
    if scan.mode != "normalised":
        remarks += _short(energy, half, "constant" if fit.constant else "line")
    elif options.pre or options.post or options.order is not None:
        remarks.append("it is normalised already, so that --pre, --post and --order have no effect")
    if origin == "energy" and level == "K" and (nearer := nearer_edge(symbol, half)):
        remarks.append(
            f"the edge is nearer to {nearer} than to {symbol} K; if it is that, say so with --element and --edge"
        )
    e0 = options.e0_ev if options.e0_ev is not None else half
    parameters: dict[str, Any] = {
        **scan.parameters,
        "mode": scan.mode,
        "e0_ev": e0,
        "e0_from": e0_from if options.e0_ev is not None else "last crossing of one half",
        "half_step_ev": half,
        "largest_derivative_ev": _largest_derivative(energy, scan.mu, half),
        "tabulated_edge_ev": tabulated_ev(symbol, level),
        "element_from": origin,
        "edge_step": fit.step,
        "edge_step_from": "stored" if choice.step else "fit",
        "ranges_from": choice.source,
        "pre_edge_range_ev": list(fit.pre),
        "pre_edge_form": "constant" if fit.constant else "line",
        "post_edge_range_ev": list(fit.post),
        "post_edge_order": fit.order,
        "noise": quality.noise(energy, fit.norm, half),
        "points": len(energy),
        "versions": versions(("xraylarch", "xraydb")),
    }
    if scan.stored:
        parameters["stored_e0_ev"] = scan.stored.e0_ev
    return MeasuredSpectrum(
        energy,
        scan.mu,
        fit.norm,
        fit.flat,
        e0,
        fit.step,
        symbol,
        level,
        parameters,
        name,
        fit.before,
        fit.behind,
        tuple(remarks),
    )


def _start(scan: Scan, options: Normalisation, element: str | None, edge: str | None) -> float:
    """A first estimate of the edge in eV: the largest step, or the stated edge's where the largest is a later edge."""
    energy = scan.energy_ev
    if options.e0_ev is not None:
        if not energy[0] < options.e0_ev < energy[-1]:
            raise XanesflowError(
                f"{scan.source} runs from {energy[0]:.1f} to {energy[-1]:.1f} eV and does not hold "
                f"--e0 {options.e0_ev:g}; give an energy within."
            )
        return options.e0_ev
    start, jump = coarse_edge(energy, scan.mu)
    tabulated = tabulated_ev(element, edge or "K") if element else None
    if tabulated and start > tabulated + ABOVE_EV:
        near, its_jump = coarse_edge(energy, scan.mu, (tabulated - BELOW_EV, tabulated + ABOVE_EV))
        if its_jump > _LEAST_OF_LARGEST * jump > 0:
            start, jump = near, its_jump
    if not quality.stands_out(scan.mu, energy, jump):
        raise quality.no_edge(scan.source)
    if jump < 0 and scan.mode != "normalised":
        raise XanesflowError(
            f"{scan.source}: the absorption falls at {start:.0f} eV instead of rising, as where the counts before and "
            "after the sample are swapped, a column holds transmitted counts, or energies are angles; check --columns."
        )
    return start


def _check_room(energy: Floats, edge: float, name: str, least: Range) -> None:
    """Refuse a scan with too little before or after its edge."""
    before, after = edge - energy[0], energy[-1] - edge
    if before < least[0]:
        raise XanesflowError(
            f"{name} begins {max(before, 0):.0f} eV before the edge at {edge:.0f} eV, and needs at least "
            f"{least[0]:.0f} eV to be normalised; give a scan that begins earlier."
        )
    if after < least[1]:
        raise XanesflowError(
            f"{name} ends {max(after, 0):.0f} eV after the edge at {edge:.0f} eV, and needs at least "
            f"{least[1]:.0f} eV to be normalised; give a longer scan."
        )


def _choice(scan: Scan, options: Normalisation, start: float) -> _Choice:
    """Ranges and order: the user's, else the project's, else Larch's."""
    stored, energy = scan.stored, scan.energy_ev

    def usable(wanted: Range | None) -> Range | None:
        """Cut a range to the data, which a project's range may exceed; None if fewer than 3 points are left."""
        if wanted is None:
            return None
        low, high = max(wanted[0], energy[0]), min(wanted[1], energy[-1])
        return (low, high) if np.sum((energy >= low) & (energy <= high)) >= 3 else None

    pre = usable(stored.pre) if stored else None
    post = usable(stored.post) if stored else None
    order, step = (stored.order, stored.step) if stored else (None, None)
    source = "project" if pre or post else "larch"
    zero = options.e0_ev if options.e0_ev is not None else start
    for asked, option in ((options.pre, "--pre"), (options.post, "--post")):
        if asked is None:
            continue
        source = "given"
        absolute = (zero + asked[0], zero + asked[1])
        right_side = asked[1] < 0 if option == "--pre" else asked[0] > 0
        if not right_side or asked[0] >= asked[1] or usable(absolute) is None:
            raise XanesflowError(
                f"{scan.source}: {option} {asked[0]:g}:{asked[1]:g} does not hold three points "
                f"{'before' if option == '--pre' else 'after'} the edge at {zero:.0f} eV; the scan runs from "
                f"{energy[0] - zero:.0f} to {energy[-1] - zero:.0f} eV about it."
            )
    if options.order is not None:
        order = options.order
    if source == "given":
        step = None
    level = zero - energy[0] < _LEVEL_EV and pre is None and options.pre is None
    return _Choice(pre, post, order, step, source, options.pre, options.post, level)


def _settle_or_level(scan: Scan, start: float, choice: _Choice, fixed: float | None) -> tuple[_Fit, float]:
    """Normalise with a line before the edge, or with a constant where a short scan shows no edge with a line."""
    try:
        return _settle(scan, start, choice, fixed)
    except XanesflowError:
        if choice.level or choice.pre or choice.asked_pre or start - scan.energy_ev[0] > _LEVEL_TRIED_EV:
            raise
        return _settle(scan, start, replace(choice, level=True), fixed)


def _settle(scan: Scan, start: float, choice: _Choice, fixed: float | None) -> tuple[_Fit, float]:
    """Normalise until the crossing of one half stays; return the last fit and the crossing in eV.

    Raises:
        XanesflowError: there is no rise, or it does not stand out.
    """
    e0 = start
    ranges: tuple[Range | None, Range | None] | None = None
    fit = _fit(scan, e0, choice)
    half = e0
    for number in range(_MOST_ROUNDS):
        crossing = last_half_crossing(scan.energy_ev, fit.norm, e0)
        if crossing is None:
            raise quality.no_edge(scan.source)
        half = crossing
        if fixed is not None:
            break
        if number > 1 and abs(half - e0) < _SETTLED_EV:
            break
        e0 = half
        if number == 1:  # Larch rounds its usual ranges to 5 eV, so they could alternate for ever
            ranges = fit.pre, fit.post
        fit = _fit(scan, e0, choice, ranges)
    quality.check_rise(scan.energy_ev, fit.flat, half, scan.source)
    return fit, half


def _fit(scan: Scan, e0: float, choice: _Choice, usual: tuple[Range | None, Range | None] | None = None) -> _Fit:
    """One call of Larch."""
    from larch import Group
    from larch.xafs import pre_edge

    stored = [(each[0] - e0, each[1] - e0) if each else None for each in (choice.pre, choice.post)]
    asked, usual = (choice.asked_pre, choice.asked_post), usual or (None, None)
    relative = [asked[n] or stored[n] or usual[n] for n in range(2)]
    pre = relative[0] or (None, None)
    post = relative[1] or (None, None if choice.end_ev is None else choice.end_ev - e0)
    group = Group(energy=scan.energy_ev.copy(), mu=scan.mu.copy())
    given = {"pre1": pre[0], "pre2": pre[1], "norm1": post[0], "norm2": post[1], "nnorm": choice.order}
    given["npre"] = 0 if choice.level else 1
    with warnings.catch_warnings(action="ignore"):
        pre_edge(group, e0=e0, step=choice.step, **given)
    details = group.pre_edge_details
    nearest = np.argmin(np.abs(scan.energy_ev - e0))
    if not group.post_edge[nearest] > group.pre_edge[nearest]:  # Larch gives a fall as a step, too
        raise quality.no_edge(scan.source)
    return _Fit(
        float(group.edge_step), np.asarray(group.norm), np.asarray(group.flat), np.asarray(group.pre_edge),
        np.asarray(group.post_edge), (float(details.pre1), float(details.pre2)),
        (float(details.norm1), float(details.norm2)), int(details.nnorm), bool(np.ptp(group.pre_edge) == 0),
    )  # fmt: skip


def _as_it_stands(scan: Scan, start: float) -> tuple[_Fit, float, _Choice]:
    """Take a spectrum that is already normalised, after a check that it is."""
    energy, norm = scan.energy_ev, scan.mu
    half = last_half_crossing(energy, norm, start)
    edge = start if half is None else half  # of a short spectrum the largest step may lie at the end of a peak
    pre, post = -20.0 if energy[0] < edge - 25 else -10.0, 30.0 if energy[-1] > edge + 50 else 10.0
    before, behind = norm[energy < edge + pre], norm[(energy > edge + post) & (energy < edge + _JUDGED_EV)]
    if (len(before) and abs(np.median(before)) > 0.15) or (len(behind) and abs(np.median(behind) - 1) > 0.25):
        raise XanesflowError(
            f"{scan.source}: the spectrum is not about 0 before and 1 after the edge, so it is not normalised; "
            "read it as µ: --mode mu, or --columns energy=1,mu=2 where columns have no names."
        )
    if half is None:
        raise quality.no_edge(scan.source)
    zeros, ones = np.zeros(len(norm)), np.ones(len(norm))
    flat = norm if scan.flattened is None else scan.flattened
    ranges = (energy[0] - half, pre), (post, energy[-1] - half)
    return (
        _Fit(1.0, norm, flat, zeros, ones, *ranges, 0, constant=True),
        half,
        _Choice(None, None, None, None, "file"),
    )


def _short(energy: Floats, half: float, form: str) -> list[str]:
    """Remarks on scans that begin or end close to the edge."""
    before, after = half - energy[0], energy[-1] - half
    found = []
    if before < FEW_BEFORE_EV:
        found.append(f"the scan begins {before:.0f} eV before the edge, so that the {form} before it is uncertain")
    if after < FEW_AFTER_EV:
        found.append(f"the scan ends {after:.0f} eV after the edge, so that the edge step is uncertain")
    return found


def _largest_derivative(energy: Floats, mu: Floats, half: float) -> float | None:
    """Larch's E0 within 40 eV of the edge, for comparison with other programs."""
    from larch.xafs import find_e0

    near = np.abs(energy - half) < 40
    if near.sum() < 20:
        return None
    with warnings.catch_warnings(action="ignore"):
        found = float(find_e0(energy[near].copy(), mu[near].copy()))
    return found if abs(found - half) < 40 else None
