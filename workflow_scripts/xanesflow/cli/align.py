"""`--align experiment`: moves computed spectra to where experiment has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.structures.choose_site import Request

if TYPE_CHECKING:
    from xanesflow.matching.choice_model import Expected


def shift_of(request: Request, theory: str) -> Expected:
    """The shift that a request's material should need at a level of theory.

    Raises:
        WrongCallError: the level of theory was never compared with experiment.
    """
    from xanesflow.matching.experiment_energies import expected_shift  # few calls need it

    cell = request.sites[0].cell
    sites = [(site.index, site.multiplicity) for site in request.sites if site.cell == cell]
    return expected_shift(theory, request.element, request.material, sites)


def describe_shift(shift: Expected) -> str:
    """A sentence for the header of the table and the terminal."""
    return f"energies moved by {shift.mean_ev:+.2f} ± {shift.sd_ev:.1f} eV to experiment (docs/studies/energies.md)"


def moved(outcomes: Sequence[SiteResult], shift_ev: float) -> list[SiteResult]:
    """The same spectra, and edges where the record has them, at other energies."""
    found = []
    for outcome in outcomes:
        result = outcome.result
        if result is not None:
            result = replace(result, energy_ev=result.energy_ev + shift_ev)
            if "edge_ev" in result.record:
                edge = result.record["edge_ev"] + shift_ev
                result = replace(result, record={**result.record, "edge_ev": edge})
        found.append(replace(outcome, result=result))
    return found
