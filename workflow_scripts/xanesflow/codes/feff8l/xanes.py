"""The embedded engine: computes the K-edge cross section of a site from a structure.

The programs of FEFF 8 Lite, which the package xraylarch ships, compute potentials, phase shifts and the atomic cross
section. Our own code computes the full multiple scattering and integrates along the contour (`scattering`, `contour`).
A spectrum takes seconds on one core and needs no licence and no compiler.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xanesflow.codes.feff8l.convergence import Convergence, read_convergence
from xanesflow.codes.feff8l.fermi_level import FIELD_TOO_LOW_EV, learned_level
from xanesflow.codes.feff8l.field import DESCRIBED, raise_fermi_level, read_field
from xanesflow.codes.feff8l.options import EngineSettings, Rung, ladder
from xanesflow.codes.feff8l.programs import run_program
from xanesflow.codes.feff8l.read_outputs import HARTREE_EV, Atomic, read_atomic
from xanesflow.codes.feff8l.spectrum import Spectrum, compute_spectrum
from xanesflow.codes.feff8l.write_inputs import Feff8lCluster, ask_for_xanes, feff_inp
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import NoSpectrumError, ProgramError, XanesflowError
from xanesflow.core.files import check_room

if TYPE_CHECKING:
    from pymatgen.core import Structure

UNSETTLED_EV = 1.0
"""A field whose Fermi level moved by more than this in the last iteration gets more: it may be off by some eV."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Attempt:
    """One attempt on the ladder: the settings tried, the outcome, and the time taken."""

    rung: str
    outcome: str
    seconds: float


@dataclass(frozen=True)
class XanesResult:
    """The K-edge XANES of a site."""

    energy_ev: Floats  # (n,) absolute photon energies
    cross_section: Floats  # (n,) absorption cross section in bohr²
    background: Floats  # (n,) the same without scattering by the neighbours
    record: dict[str, Any]  # provenance: rung, attempts, convergence of the field, Fermi level, edge, settings, seconds


def compute_xanes(
    structure: Structure,
    site_index: int,
    settings: EngineSettings | None = None,
    *,
    folder: Path | None = None,
    progress: Progress = lambda message: None,
) -> XanesResult:
    """Compute the K-edge XANES of a site.

    Args:
        structure: an ordered structure.
        site_index: 0-based index of the absorber.
        settings: None: the defaults.
        folder: where the programs run and leave feff.inp and their logs; None: a temporary folder.
        progress: called with a short message at each step.

    Raises:
        NoSpectrumError: no rung of the ladder gave potentials.
        XanesflowError: the site cannot be computed at all (atoms too close, an isolated atom), or the programs are
            missing.
        OSError: the disk is full.
    """
    from xanesflow.codes.feff8l.cluster import cut_cluster  # imports pymatgen, which `compute_cluster` does not need

    cluster = cut_cluster(structure, site_index)
    if folder is not None:
        return compute_cluster(cluster, settings or EngineSettings(), folder, progress)
    with tempfile.TemporaryDirectory(prefix="xanesflow_") as temporary:
        return compute_cluster(cluster, settings or EngineSettings(), Path(temporary), progress)


def compute_cluster(
    cluster: Feff8lCluster, settings: EngineSettings, folder: Path, progress: Progress = lambda message: None
) -> XanesResult:
    """Compute the K-edge XANES of a cluster; arguments, result and errors as in `compute_xanes`."""
    started = time.perf_counter()
    holes = {"off": [False], "on": [True], "average": [False, True]}[settings.core_hole]
    spectra, records = [], []
    for hole in holes:
        atomic, record = _climb(cluster, settings, folder, core_hole=hole, progress=progress)
        begin = time.perf_counter()
        spectrum, radius = _scatter(atomic, settings, progress)
        spectra.append(spectrum)
        record["seconds_scattering"] = time.perf_counter() - begin
        record |= {"core_hole": hole, "n_solved": spectrum.n_solved, "fms_radius": radius}
        records.append(record)
    energy, cross_section, background = _mean(spectra)
    record = records[0] if len(records) == 1 else {**records[0], "core_hole": "average", "with_hole": records[1]}
    record["settings"] = settings.as_dict()
    record["seconds"] = time.perf_counter() - started
    return XanesResult(energy, cross_section, background, record)


def _scatter(atomic: Atomic, settings: EngineSettings, progress: Progress) -> tuple[Spectrum, float]:
    """Compute the spectrum; returns also the radius in Å within which atoms scatter to all orders.

    If far atoms on a straight line with strong scatterers (the chains of a cubic perovskite) scatter only once, they
    can make the absorption just above the Fermi level negative. In that case they too scatter to all orders.
    """
    progress("full multiple scattering")
    radius, energies = settings.fms_radius, _energies(settings)
    spectrum = compute_spectrum(
        atomic, radius=radius, single_radius=settings.single_radius, l_max=settings.l_max, energies_ev=energies
    )
    if spectrum.cross_section.min() < 0 and settings.single_radius > radius:
        radius = settings.single_radius
        progress(f"the absorption is negative: all orders within {radius:g} Å")
        spectrum = compute_spectrum(atomic, radius=radius, l_max=settings.l_max, energies_ev=energies)
    return spectrum, radius


def _energies(settings: EngineSettings) -> Floats:
    first, last = settings.energy_range
    number = round((last - first) / settings.energy_step) + 1
    return np.asarray(first + settings.energy_step * np.arange(number), dtype=np.float64)


def _mean(spectra: list[Spectrum]) -> tuple[Floats, Floats, Floats]:
    """Average the spectra on the energies of the first."""
    energy = spectra[0].energy_ev
    cross_sections = [np.interp(energy, one.energy_ev, one.cross_section) for one in spectra]
    backgrounds = [np.interp(energy, one.energy_ev, one.background) for one in spectra]
    return energy, np.asarray(np.mean(cross_sections, axis=0)), np.asarray(np.mean(backgrounds, axis=0))


def _climb(
    cluster: Feff8lCluster, settings: EngineSettings, folder: Path, *, core_hole: bool, progress: Progress
) -> tuple[Atomic, dict[str, Any]]:
    """Try the rungs of the ladder until one gives potentials and phases; returns these and the record."""
    attempts: list[Attempt] = []
    for number, rung in enumerate(ladder(settings)):
        begin = time.perf_counter()
        progress(f"potentials ({rung})")
        try:
            atomic, convergence, level = _run(cluster, rung, folder, core_hole=core_hole, settings=settings)
        except ProgramError as error:
            check_room(folder)  # the programs do not notice a full disk, and other settings would not help
            attempts.append(Attempt(str(rung), str(error), time.perf_counter() - begin))
            progress(f"failed: {error}")
            continue
        if number == 0 and convergence.iterations > 1 and convergence.last_change_ev > UNSETTLED_EV:
            said = f"the Fermi level still moves, by {convergence.last_change_ev:.1f} eV in the last iteration"
            attempts.append(Attempt(str(rung), said, time.perf_counter() - begin))
            progress(said)
            continue
        attempts.append(Attempt(str(rung), "done", time.perf_counter() - begin))
        record = {
            "rung": str(rung),
            "rung_number": len(attempts),
            "attempts": [vars(attempt) for attempt in attempts],
            "convergence": convergence.as_dict(),
            "fermi_ev": atomic.fermi * HARTREE_EV,
            **level,
            "edge_ev": atomic.edge * HARTREE_EV,
            "gamma_ev": 2 * atomic.gamma * HARTREE_EV,
        }
        return atomic, record
    said = "; ".join(f"{one.rung}: {one.outcome}" for one in attempts)
    raise NoSpectrumError(f"none of {len(attempts)} settings gave potentials ({said})", attempts)


def _run(
    cluster: Feff8lCluster, rung: Rung, folder: Path, *, core_hole: bool, settings: EngineSettings
) -> tuple[Atomic, Convergence, dict[str, Any]]:
    """Run the three programs once; returns also how the Fermi level was changed, for the record."""
    limit = settings.time_limit
    (folder / "feff.inp").write_text(feff_inp(cluster, rung, core_hole=core_hole), encoding="ascii")
    run_program("feff8l_rdinp", folder, outputs=("pot.json", "geom.json", "xsph.json"), time_limit=limit)
    printed = run_program("feff8l_pot", folder, outputs=("pot.pad",), time_limit=limit)
    convergence = read_convergence(printed, wanted=rung.scf_iterations)
    try:
        ask_for_xanes(folder)
        level = _move_level(folder / "pot.pad", cluster, rung, settings, read=(printed, convergence))
        run_program("feff8l_xsph", folder, outputs=("phase.pad", "xsect.json"), time_limit=limit)
        atomic = read_atomic(folder)
    except XanesflowError as error:
        raise ProgramError(str(error)) from None
    return atomic, convergence, level


def _move_level(
    path: Path, cluster: Feff8lCluster, rung: Rung, settings: EngineSettings, *, read: tuple[str, Convergence]
) -> dict[str, Any]:
    """Raise the Fermi level in pot.pad before phases and cross section are computed; returns the changes made.

    The self-consistent field scatters within some 3 Å only, so its level is lower than that of FEFF 9, which uses 7 Å.
    The level sets the energy scale, and the spectrum is cut off there. Raising it by `fermi_offset` brings the shape of
    spectra closer to FEFF 9 on the study's development sites (docs/studies/engine.md). Where the learned model predicts
    how far the field's level is too low, its prediction replaces the median, `FIELD_TOO_LOW_EV`. Overlapped atoms keep
    their level.
    """
    if rung.scf_radius is None:
        return {"fermi_offset_ev": 0.0, "fermi_learned": None, "field": None}
    added, learned = settings.fermi_offset, None
    field = read_field(path, *read)
    if settings.fermi_level == "learned" and cluster.traits is not None:
        learned = learned_level(cluster.potentials[0].symbol, cluster.traits, field, rung)
        if learned is not None:
            added += learned.weight * (learned.added_ev - FIELD_TOO_LOW_EV)
    raise_fermi_level(path, added)
    return {
        "fermi_offset_ev": added,
        "fermi_learned": vars(learned) if learned else None,
        "field": dict(zip(DESCRIBED, field.describe().tolist(), strict=True)),
    }


def write_result(folder: Path, result: XanesResult, cluster: Feff8lCluster) -> None:
    """Write the table of the spectrum, xmu.dat, and its record, result.json, into a folder."""
    header = [
        f"absorber Z={cluster.potentials[0].atomic_number} K",
        "K-edge XANES of the embedded engine of xanesflow (FEFF 8 Lite potentials, own full multiple scattering)",
        f"{result.record['rung']}",
        f"Fermi level {result.record['fermi_ev']:.3f} eV, edge {result.record['edge_ev']:.3f} eV",
        "energy_ev mu_bohr2 mu0_bohr2",
    ]
    lines = [f"# {line}" for line in header]
    rows = zip(result.energy_ev, result.cross_section, result.background, strict=True)
    lines += [f"{e:.4f} {mu:.8e} {mu0:.8e}" for e, mu, mu0 in rows]
    (folder / "result.json").write_text(json.dumps(result.record, indent=1), encoding="utf-8")
    (folder / "xmu.dat").write_text("\n".join(lines) + "\n", encoding="utf-8")
