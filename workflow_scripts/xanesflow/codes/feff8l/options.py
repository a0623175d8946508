"""What the embedded engine can be told, and the ladder of settings that it climbs down when a site resists."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

CoreHole = Literal["off", "on", "average"]
FermiLevel = Literal["learned", "scf"]

ENGINE_VERSION = 3
"""Counts up when the same settings give another spectrum: kept results of before are then computed again."""


@dataclass(frozen=True)
class EngineSettings:
    """Options of the embedded engine; the defaults are those of the accuracy study (docs/studies/engine.md).

    Attributes:
        scf_radius: sphere in Å around each potential's atom within which the self-consistent field scatters.
        scf_iterations: at most so many iterations of the field, the first three of which count as one.
        fms_radius: sphere in Å of full multiple scattering around the absorber.
        single_radius: sphere in Å; atoms in it beyond `fms_radius` scatter once, with all orders among the nearer ones.
        l_max: largest angular momentum of multiple scattering.
        core_hole: off: the ground state; on: a full 1s hole; average: the mean of both spectra, at twice the cost.
        energy_step: step in eV of the spectrum.
        energy_range: first and last energy in eV of the spectrum, relative to the edge.
        fermi_level: learned: the field's, corrected by the learned model where there is one for the absorber (see
            `level`); scf: that of the self-consistent field alone.
        fermi_offset: eV added to the Fermi level of the self-consistent field (see `engine`); 0: as it is.
        time_limit: seconds that one run of the potentials' program may take.
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
    def from_dict(cls, values: dict[str, Any]) -> EngineSettings:
        """What `as_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        first, last = values["energy_range"]
        return cls(**{**values, "energy_range": (float(first), float(last))})


@dataclass(frozen=True)
class Rung:
    """Settings of the self-consistent field for one attempt.

    Attributes:
        scf_radius: as in `EngineSettings`; None: overlapped free atoms, no field.
        scf_iterations: as in `EngineSettings`.
        mixing: share of the new density in the first iterations (card SCF, ca).
    """

    scf_radius: float | None
    scf_iterations: int
    mixing: float

    def __str__(self) -> str:
        if self.scf_radius is None:
            return "no self-consistent field"
        return f"SCF {self.scf_radius:g} Å, {self.scf_iterations} iterations, mixing {self.mixing:g}"


def ladder(settings: EngineSettings) -> list[Rung]:
    """Attempts for a site, the wanted settings first, then more iterations; each next one is slower to mix or coarser.

    A field whose Fermi level still moves after the first is given the second (see `engine`). The program of the
    potentials crashes for some sites where the first density of the field is far off; slower mixing helps most of
    them. What converges nowhere gets overlapped atoms, whose spectra are less accurate, and says so.
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
