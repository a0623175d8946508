"""Describe a measured spectrum in words: its edge, signal, range, and how it was normalised."""

from __future__ import annotations

import math

from xanesflow.core.text import plural
from xanesflow.measured.measured_spectrum import MeasuredSpectrum


def describe_spectrum(spectrum: MeasuredSpectrum) -> list[tuple[str, str]]:
    """Names and values that describe a spectrum to the user, in their order."""
    known = spectrum.parameters
    pre, post = known["pre_edge_range_ev"], known["post_edge_range_ev"]
    origin = {"stated": "as stated", "energy": "found from the energy"}[known["element_from"]]
    tabulated = known["tabulated_edge_ev"]
    derivative = known["largest_derivative_ev"]
    order = ("constant", "line", "parabola")[known["post_edge_order"]]
    columns = ", ".join(f"{role}={called}" for role, called in known.get("columns", {}).items())
    energy = spectrum.energy_ev
    rows = [
        ("edge", f"{spectrum.element} {spectrum.edge}, {origin} (tabulated at {tabulated:.0f} eV)"),
        ("signal", f"{known['mode']}, {known['format']}{f' ({columns})' if columns else ''}"),
        ("energies", f"{energy[0]:.1f} to {energy[-1]:.1f} eV, {plural(len(energy), 'point')}"),
        ("E0", f"{spectrum.e0_ev:.2f} eV, {known['e0_from']}"),
        ("half the step", f"{spectrum.half_step_ev:.2f} eV"),
        ("largest derivative", "not found" if derivative is None else f"{derivative:.2f} eV"),
        ("edge step", f"{spectrum.edge_step:.4g}"),
        ("before the edge", f"{known['pre_edge_form']} from {pre[0]:.1f} to {pre[1]:.1f} eV about E0"),
        ("after the edge", f"{order} from {post[0]:.1f} to {post[1]:.1f} eV about E0"),
        ("noise", describe_noise(known["noise"])),
    ]
    if known["mode"] == "normalised":
        rows = [row for row in rows if row[0] not in ("edge step", "before the edge", "after the edge")]
    if known.get("energy_shift_ev"):
        rows.insert(3, ("energy shift", f"{known['energy_shift_ev']:+.3f} eV, as the project says"))
    if "spread_of_repeats" in known:
        rows.append(("spread of repeats", f"{known['spread_of_repeats']:.2%} of the edge step"))
    return rows


def describe_noise(noise: float, of: str = " of the edge step") -> str:
    """The noise of a spectrum, in units of its edge step; NaN if too few points are far from the edge to tell."""
    return f"{noise:.2%}{of}" if math.isfinite(noise) else "not known"
