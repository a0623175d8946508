"""Absorber and edge: as the file or the user states them, checked against the energy, or found from it."""

from __future__ import annotations

from functools import cache

from xanesflow.core.errors import XanesflowError
from xanesflow.measured.foreign_file import on_one_line

BELOW_EV, ABOVE_EV = 40.0, 60.0
"""How far below and above the tabulated edge the half step may lie: chemistry raises it by up to 20 eV, and an
uncalibrated monochromator shifts it by as much in both directions."""

FAR_EV = 20.0
"""Chemistry raises an edge by up to this; if it lies further from a K edge than this, it may be an L3 edge instead."""

_EDGES = ("K", "L3", "L2", "L1")
_HEAVIEST = 92


@cache
def tabulated_ev(element: str, edge: str) -> float | None:
    """Energy of an edge in eV by Elam's tables (xraydb); None for an element or edge that the tables lack."""
    import xraydb

    try:
        found = xraydb.xray_edge(element, edge)
    except ValueError:
        return None
    return None if found is None else float(found.energy)


@cache
def _all_edges() -> tuple[tuple[str, str, float], ...]:
    import xraydb

    symbols = [xraydb.atomic_symbol(z) for z in range(3, _HEAVIEST + 1)]
    return tuple(
        (symbol, edge, energy)
        for edge in _EDGES
        for symbol in symbols
        if (energy := tabulated_ev(symbol, edge)) is not None
    )


def read_edge(element: str | None, edge: str | None, name: str) -> tuple[str | None, str | None]:
    """Check an element, by its symbol or name, and an edge; return symbol and edge in their usual spelling.

    Raises:
        XanesflowError: there is no such element or edge.
    """
    import xraydb

    if not element:
        return None, edge.strip().upper() if edge else None
    given, level = element.strip().capitalize(), (edge or "K").strip().upper()
    if not given.isalpha() or tabulated_ev(given, level) is None:
        raise XanesflowError(
            f"{name}: '{on_one_line(element, 20)} {on_one_line(level, 20)}' is no element with such an edge; "
            "give --element SYMBOL, and --edge unless it is K."
        )
    return str(xraydb.atomic_symbol(given)), level


def check_coverage(element: str, edge: str, first_ev: float, last_ev: float, name: str) -> None:
    """Refuse a scan that cannot hold its stated edge.

    Raises:
        XanesflowError: it begins above the edge, wherever chemistry may have it, or ends far below.
    """
    energy = tabulated_ev(element, edge) or 0.0
    span = f"runs from {first_ev:.0f} to {last_ev:.0f} eV"
    if first_ev > energy + ABOVE_EV or last_ev < energy - BELOW_EV:
        raise XanesflowError(
            f"{name} {span} and does not hold the {element} {edge} edge at {energy:.0f} eV; "
            "give the scan of that edge, or the right --element and --edge."
        )
    if first_ev > energy + FAR_EV:
        raise XanesflowError(
            f"{name} {span} and begins above the {element} {edge} edge at {energy:.0f} eV, so that it cannot be "
            "normalised; give a scan that begins before the edge."
        )


def identify(half_ev: float, element: str | None, edge: str | None, name: str) -> tuple[str, str, str]:
    """Absorber, edge, and where they come from: `stated` or `energy`.

    Args:
        half_ev: energy of half the step.
        element: as stated, or None.
        edge: as stated, or None.
        name: of the file, for sentences.

    Raises:
        XanesflowError: what is stated contradicts the energy, or the energy fits no K edge.
    """
    if element:
        level = edge or "K"
        energy = tabulated_ev(element, level) or 0.0
        if not -BELOW_EV <= half_ev - energy <= ABOVE_EV:
            near = _near(half_ev)
            instead = f" but near that of {near[0][0]} {near[0][1]}" if near else ""
            raise XanesflowError(
                f"{name}: the edge at {half_ev:.0f} eV is not near that of {element} {level} ({energy:.0f} eV)"
                f"{instead}; "
                "check --element and --edge, or the energies of the file."
            )
        return element, level, "stated"
    near = [each for each in _near(half_ev) if edge is None or each[1] == edge]
    if near and (near[0][1] == "K" or (edge and len(near) == 1)):
        return near[0][0], near[0][1], "energy"
    others = ", ".join(f"{symbol} {level} ({energy:.0f} eV)" for symbol, level, energy in near[:4])
    raise XanesflowError(
        f"{name}: the edge at {half_ev:.0f} eV is near no {edge or 'K'} edge"
        + (f", but near {others}" if others else "")
        + "; give --element SYMBOL and --edge."
    )


def nearer_edge(element: str, half_ev: float) -> str | None:
    """An L3 edge, by name and energy, that fits half of a step better than the K edge taken for it; or None.

    It is much nearer, and chemistry does not explain how far the K edge is; or it is nearer, and half the step lies
    below the K edge, where chemistry moves none.
    """
    away = half_ev - (tabulated_ev(element, "K") or half_ev)
    symbol, edge, energy = min(
        (each for each in _all_edges() if each[1] == "L3"), key=lambda each: abs(half_ev - each[2])
    )
    better = abs(half_ev - energy) < (-away if away < 0 else away / 2 if away > FAR_EV else 0)
    return f"{symbol} {edge} ({energy:.0f} eV)" if better else None


def edge_of_rise(rise_ev: float, element: str | None) -> str | None:
    """The K or L3 edge, or any of an element, that a rise is closest to, by name and energy; None if none is near."""
    fits = [
        each
        for each in _all_edges()
        if -FAR_EV <= rise_ev - each[2] <= BELOW_EV and (each[1] in ("K", "L3") or each[0] == element)
    ]
    if not fits:
        return None
    symbol, edge, energy = min(fits, key=lambda each: abs(rise_ev - each[2]))
    return f"{symbol} {edge} ({energy:.0f} eV)"


def _near(half_ev: float) -> list[tuple[str, str, float]]:
    """Edges that the energy fits, K edges first, nearest first."""
    fits = [each for each in _all_edges() if -BELOW_EV <= half_ev - each[2] <= ABOVE_EV]
    return sorted(fits, key=lambda each: (each[1] != "K", abs(half_ev - each[2])))
