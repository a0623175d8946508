"""Some of the spectra that curation left out, kept so that a report can draw what was wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from xanesflow.codes.feff.read_xmu import Xmu
from xanesflow.codes.feff.read_xmu import parse_xmu as parse_feff
from xanesflow.codes.feff8l.read_run import parse_xmu as parse_feff8l
from xanesflow.codes.run_zip import Run
from xanesflow.core.energy_grid import N_POINTS, Array, energy_grid
from xanesflow.core.errors import BadRunError
from xanesflow.core.reasons import REASONS
from xanesflow.core.tables import STRING

PER_REASON = 6
"""Spectra that are kept of each reason."""

_PARSE: Mapping[str, Callable[[bytes], Xmu]] = {"FEFF": parse_feff, "FEFF8L": parse_feff8l}


@dataclass(frozen=True)
class RejectedExample:
    """A spectrum that was left out.

    Attributes:
        material_id: its material.
        site_index: 0-based index of the absorber into the structure.
        reason: why it was left out.
        detail: one sentence on this very site.
        spectrum: (141,) bohr² on the subset's grid, NaN where nothing was computed.
        badness: of two examples of one reason the larger is kept.
    """

    material_id: str
    site_index: int
    reason: str
    detail: str
    spectrum: Array
    badness: float = 0.0


def spectrum_anyway(run: Run, theory: str, start_ev: float) -> Array | None:
    """What a refused run's files hold of a spectrum, (141,) in bohr²; None: nothing that could be drawn.

    Args:
        run: as it lies in its chunk.
        theory: its level of theory; of VASP's nothing is read.
        start_ev: first energy of the grid.
    """
    if theory not in _PARSE:
        return None
    try:
        xmu = _PARSE[theory](run.files.get("xmu.dat", b""))
    except BadRunError:
        return None
    order = np.argsort(xmu.energy_ev)
    at, values = xmu.energy_ev[order], xmu.cross_section[order]
    spectrum = np.interp(energy_grid(start_ev), at, values, left=np.nan, right=np.nan)
    return spectrum if np.isfinite(spectrum).any() else None


def choose_examples(found: Iterable[RejectedExample]) -> list[RejectedExample]:
    """The worst few of each reason, in the order of the documented reasons."""
    by_reason: dict[str, list[RejectedExample]] = {}
    for each in found:
        by_reason.setdefault(each.reason, []).append(each)
    return [
        each
        for reason in REASONS
        for each in sorted(by_reason.get(reason, []), key=lambda e: (-e.badness, e.material_id, e.site_index))[
            :PER_REASON
        ]
    ]


def write_examples(parent: h5py.Group, examples: Sequence[RejectedExample]) -> None:
    """Write examples as a group of five columns."""
    group = parent.create_group("examples")
    for name in ("material_id", "reason", "detail"):
        group.create_dataset(name, data=[getattr(each, name) for each in examples], dtype=STRING)
    group.create_dataset("site_index", data=np.array([each.site_index for each in examples], dtype=np.int64))
    spectra = np.array([each.spectrum for each in examples], dtype=np.float64).reshape(len(examples), N_POINTS)
    group.create_dataset("spectra", data=spectra).attrs["units"] = "bohr^2"


def read_examples(parent: h5py.Group) -> list[RejectedExample]:
    """Read what `write_examples` wrote; none from a file of an earlier version."""
    if "examples" not in parent:
        return []
    group = parent["examples"]
    texts = [group[name].asstr()[:].tolist() for name in ("material_id", "reason", "detail")]
    rows = zip(*texts, group["site_index"][:].tolist(), group["spectra"][:], strict=True)
    return [
        RejectedExample(material, index, reason, detail, spectrum) for material, reason, detail, index, spectrum in rows
    ]
