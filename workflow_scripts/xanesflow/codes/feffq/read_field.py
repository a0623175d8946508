"""Numbers of the self-consistent field that delta models learn from, read from what FEFF's `pot` printed."""

from __future__ import annotations

import re

FIELD = ("fermi_ev", "charge", "least_charge", "most_charge", "n_s", "n_p", "n_d", "iterations")
"""Fermi level in eV above FEFF's zero; charge transfer of the absorber, and the least and most of all potentials, in
electrons; electrons in the absorber's s, p and d channels; iterations of the field."""

_LEVEL = re.compile(r"New Fermi level: +mu= *(\S+) eV")
_CHARGES = re.compile(r"^Charge transfer: +type +charge\n((?: +\d+ +\S+\n)+)", re.MULTILINE)
_CONFIGURATION = re.compile(r"^ +type +l +N_el\n((?: +\d+ +\d+ +\S+\n)+)", re.MULTILINE)


def read_field(log: str) -> dict[str, float]:
    """Read the numbers of `FIELD` from feff.out, of the last iteration; empty: not all stand there.

    Args:
        log: what the modules printed.
    """
    levels, charges, configurations = (one.findall(log) for one in (_LEVEL, _CHARGES, _CONFIGURATION))
    if not (levels and charges and configurations):
        return {}
    try:
        transferred = [float(line.split()[1]) for line in charges[-1].splitlines()]
        channels = [float(line.split()[2]) for line in configurations[-1].splitlines()[:3]]
        numbers = (
            float(levels[-1]), transferred[0], min(transferred), max(transferred), *channels, float(len(levels)),
        )  # fmt: skip
    except (ValueError, IndexError):
        return {}
    return dict(zip(FIELD, numbers, strict=True))
