"""The absorber's charge transfer, from finished runs whose code prints one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from xanesflow.codes.registry import function_of, theory_of
from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.sites import Site, Subset

CHARGE = "charge_transfer"
"""Name of the descriptor."""


def read_charges(runs: Mapping[str, Sequence[Path]]) -> dict[tuple[str, str, int], float]:
    """Read the charge transfer of every absorber whose run has one, in e, by subset, material and site index.

    Args:
        runs: by subset the zips of its finished runs.

    Raises:
        XanesflowError: a zip is damaged.
    """
    found: dict[tuple[str, str, int], float] = {}
    for subset, chunks in runs.items():
        theory = Subset.parse(subset).theory
        if not theory_of(theory).absorber_charge:  # such as VASP, whose large runs need not be opened for nothing
            continue
        found |= {(subset, *site): charge for site, charge in _of_chunks(chunks, theory)}
    return found


def _of_chunks(chunks: Iterable[Path], theory: str) -> Iterable[tuple[Site, float]]:
    charge_of = function_of(theory_of(theory).absorber_charge)
    assert charge_of is not None
    for chunk in chunks:
        for run in read_chunk(chunk, theory):
            if (charge := charge_of(run)) is not None:
                yield run.site, charge
