"""Read a finished run of the toy."""

from dataclasses import dataclass

import numpy as np

from xanesflow.core.errors import BadRunError


@dataclass(frozen=True)
class ToySpectrum:
    energy_ev: np.ndarray
    cross_section: np.ndarray


def read_toy(run, shared, *, element, structure):
    """See `xanesflow.codes.engine.Reader`."""
    rows = np.array([line.split() for line in run.files.get("toy.out", b"").splitlines()], dtype=float)
    if len(rows) != 121:
        raise BadRunError("truncated", f"toy.out has {len(rows)} rows, not 121")
    return ToySpectrum(*rows.T)
