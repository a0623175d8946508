"""The constants that turn runs of VASP into spectra: one entry for each element in the section `curation.vasp`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset

_KEYS = ("core_level", "broadening", "shift")


@dataclass(frozen=True)
class Processing:
    """The constants for the spectra of an element."""

    core_level_ev: float  # ε_core, the energy of the absorber's 1s level in its POTCAR
    broadening_ev: float  # full width of the Lorentzian at half its maximum
    shift_ev: float  # empirical shift, which corrects the error of the total energies
    start_ev: float  # first energy of the dataset's grid


def processing_of(subset: str, values: Mapping[str, float], *, start_ev: float) -> Processing:
    """Collect the constants of a subset.

    Args:
        subset: such as `Ti_VASP`.
        values: its element's entries of `curation.vasp` by key, in eV.
        start_ev: first energy of the dataset's grid.

    Raises:
        XanesflowError: an entry is missing; names its key.
    """
    if missing := [f"curation.vasp.{key}" for key in _KEYS if key not in values]:
        element = Subset.parse(subset).element
        raise XanesflowError(
            f"The spectra of {subset} need an entry for {element} in {' and in '.join(missing)}; add it in eV "
            "(docs/reference/vasp-spectra.md says how to find it)."
        )
    return Processing(values["core_level"], values["broadening"], values["shift"], start_ev)
