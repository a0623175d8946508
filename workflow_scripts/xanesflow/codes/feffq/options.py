"""Options of quick FEFF: two settings, chosen by the study (docs/studies/quick-feff.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

QuickName = Literal["fast", "near"]

QUICK_VERSION = 1
"""Raise it when the same settings give another spectrum: results of older versions are then computed again."""


@dataclass(frozen=True)
class QuickSettings:
    """What is smaller than at the paper's settings.

    Attributes:
        scf_atoms: each potential's sphere of the self-consistent field holds at least so many atoms, the centre
            included.
        scf_radius: smallest and largest radius in Å of these spheres.
        tolerances: change of the Fermi level in hartree, of the charges and of their partial waves in electrons, below
            which the field has converged (card TOLSCF; FEFF's own are 0.001, 0.001 and 0.0002).
        fms_radius: radius in Å of full multiple scattering around the absorber.
        far_radius: radius in Å up to which the atoms beyond scatter once; 0: none do.
        k_step: step in 1/Å of the energies above the edge.
    """

    scf_atoms: int
    scf_radius: tuple[float, float]
    tolerances: tuple[float, float, float]
    fms_radius: float
    far_radius: float
    k_step: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they are recorded and hashed."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


SETTINGS: Mapping[str, QuickSettings] = {
    "fast": QuickSettings(
        scf_atoms=13, scf_radius=(4.0, 4.5), tolerances=(0.001, 0.01, 0.002), fms_radius=6.0, far_radius=9.0,
        k_step=0.08,
    ),
    "near": QuickSettings(
        scf_atoms=17, scf_radius=(4.5, 5.5), tolerances=(0.001, 0.003, 0.001), fms_radius=9.0, far_radius=0.0,
        k_step=0.05,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class FeffqOptions:
    """How quick FEFF is run."""

    settings: QuickName = "fast"  # name of the settings
    time_limit: float = 3600.0  # seconds for all attempts at a site
    max_corrections: int = 3  # attempts after the first

    @classmethod
    def of_run(cls, settings: Mapping[str, Any]) -> FeffqOptions:
        """The options of a run from its recorded settings (`FeffqEngine.settings`).

        Raises:
            KeyError: they were not recorded by the engine.
        """
        return cls(settings["settings"])

    @property
    def quick(self) -> QuickSettings:
        """The settings themselves."""
        return SETTINGS[self.settings]
