"""Options of the embedded engine, and the ladder of settings that it tries in turn when a site fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from xanesflow.core.text import plural

CoreHole = Literal["off", "on", "average"]
FermiLevel = Literal["learned", "scf"]

ENGINE_VERSION = 3
"""Raise it when the same settings give another spectrum: results of older versions are then computed again."""


@dataclass(frozen=True)
class EngineSettings:
    """Options of the embedded engine; the accuracy study chose the defaults (docs/studies/engine.md).

    Attributes:
        scf_radius: radius in Å of the sphere around each potential's atom in which the self-consistent field scatters.
        scf_iterations: largest number of SCF iterations; the first three count as one.
        fms_radius: radius in Å of full multiple scattering around the absorber.
        single_radius: radius in Å; between `fms_radius` and this one, atoms scatter once, and the nearer atoms scatter
            to all orders on the way there and back.
        l_max: largest angular momentum of multiple scattering.
        core_hole: off: the ground state; on: a full 1s hole; average: the mean of both spectra, at twice the cost.
        energy_step: step in eV of the spectrum.
        energy_range: first and last energy in eV of the spectrum, relative to the edge.
        fermi_level: learned: the field's level, corrected by the learned model if there is one for the absorber (see
            `fermi_level`); scf: the field's level alone.
        fermi_offset: eV added to the Fermi level of the self-consistent field (see `xanes`).
        time_limit: seconds that one run of one program may take.
    """

    scf_radius: float = 2.6
    scf_iterations: int = 2
    fms_radius: float = 5.5
    single_radius: float = 8.0
    l_max: int = 3
    core_hole: CoreHole = "off"
    energy_step: float = 0.1
    energy_range: tuple[float, float] = (-12.0, 40.0)
    fermi_level: FermiLevel = "learned"
    fermi_offset: float = 0.6
    time_limit: float = 120.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they are recorded and hashed."""
        return {**asdict(self), "energy_range": list(self.energy_range)}

    @classmethod
    def of_run(cls, settings: Mapping[str, Any]) -> EngineSettings:
        """The options of a run from its recorded settings (`Feff8lEngine.settings`).

        Raises:
            KeyError, TypeError, ValueError: they were not recorded by the engine.
        """
        return cls.from_dict({name: value for name, value in settings.items() if name not in ("code", "programs")})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EngineSettings:
        """Options from what `as_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: the values do not come from `as_dict`.
        """
        first, last = values["energy_range"]
        return cls(**{**values, "energy_range": (float(first), float(last))})


@dataclass(frozen=True)
class Rung:
    """Settings of the self-consistent field for one attempt."""

    scf_radius: float | None  # as in `EngineSettings`; None: overlapped free atoms without a self-consistent field
    scf_iterations: int  # as in `EngineSettings`
    mixing: float  # share of the new density in the first iterations (SCF card, ca)

    def __str__(self) -> str:
        if self.scf_radius is None:
            return "no self-consistent field"
        return f"SCF {self.scf_radius:g} Å, {plural(self.scf_iterations, 'iteration')}, mixing {self.mixing:g}"


def ladder(settings: EngineSettings) -> list[Rung]:
    """Attempts for a site: the wanted settings, then more iterations, then slower mixing or other radii.

    A site goes on to the second rung if its Fermi level still moves after the first (see `xanes`). For some sites the
    first density of the field is far off and the program of the potentials crashes; slower mixing helps most of them.
    A site that fails with every field gets overlapped free atoms; its spectrum is less accurate and its record says so.
    """
    radius, iterations = settings.scf_radius, settings.scf_iterations
    rungs = [
        Rung(radius, iterations, 0.2),
        Rung(radius, iterations + 4, 0.2),
        Rung(radius, iterations + 4, 0.05),
        Rung(radius + 0.5, iterations + 4, 0.1),
        Rung(min(radius, max(radius - 0.6, 1.5)), iterations + 4, 0.05),
        Rung(None, 0, 0.0),
    ]
    return list(dict.fromkeys(rungs))
