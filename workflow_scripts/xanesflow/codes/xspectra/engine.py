"""XSpectra as an engine of the workflow (see `xanesflow.codes.engine`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shutil import which
from typing import Any, ClassVar

from pymatgen.core import Structure

from xanesflow.codes.plain_structure import plain
from xanesflow.codes.run_files import XSPECTRA_FILES
from xanesflow.codes.run_in_folder import FolderStep, read_json
from xanesflow.codes.xspectra.atoms import ATOMS, known_atom
from xanesflow.codes.xspectra.hole_cell import HoleCell, hole_cell
from xanesflow.codes.xspectra.hole_job import GROUND_STATE, RESULT, HoleJob
from xanesflow.codes.xspectra.options import XspectraRunOptions
from xanesflow.codes.xspectra.step_plan import StepPlan, check_memory, plan_step
from xanesflow.core.errors import FailedRunError, NoInputError, XanesflowError
from xanesflow.core.files import write_text
from xanesflow.running.process import command_words

log = logging.getLogger(__name__)

PROGRAMS = ("pw.x", "xspectra.x", "ld1.x")
"""The programs of Quantum ESPRESSO that a run needs; ld1.x always runs by itself."""

_VERSION = 2  # of the method; another number makes every run be computed again
_GROUND = ("energy_ry", "fermi_ev", "smearing_ry", "version")
_OF_FIELD = ("hole_distance", "ecutwfc", "ecutrho", "field_length", "metals")
_OF_SPECTRUM = ("spectrum_length", "width", "steps")


@dataclass
class _HoleStep(FolderStep):
    """The shared part of ground state and core hole."""

    options: XspectraRunOptions
    package: ClassVar[str] = "xspectra"
    steps_folder: Path | None = None
    keep_steps: bool = False
    keep: tuple[str, ...] = field(
        default=(*(f for f in XSPECTRA_FILES if "/" not in f), *(f"xanes{k}.{e}" for k in "123" for e in ("in", "out")),
                 *(f"{e}{h}.upf" for e in ATOMS for h in ("", ".fch")), "job.json", "run.log"), init=False
    )  # fmt: skip

    def record(self, folder: Path) -> dict[str, Any]:
        """Return the figures of the step, its corrections and the hashes of its pseudopotentials."""
        result = read_json(folder / RESULT) or {}
        return {} if "reason" in result else {**result, "spin": "none: computed non-spin-polarised"}

    def keep_steps_in(self, folder: Path, *, always: bool = False) -> None:
        """Keep finished steps in a folder, unless one was named before (see `codes.engine.WithSteps`)."""
        if self.steps_folder is None:
            self.steps_folder, self.keep_steps = folder.resolve(), always

    def memory_mb(self, structure: Structure, site_index: int) -> float:
        """Return the memory in MB that a site or its ground state needs; 0 where it has no cell."""
        try:
            return plan_step(self._cell(structure, max(site_index, 0)), self.options).memory_mb
        except FailedRunError:
            return 0.0

    def _cell(self, structure: Structure, site_index: int) -> HoleCell:
        """Make the cell of a site, and check that every element has a pseudopotential.

        Raises:
            FailedRunError: there is none, or no cell.
        """
        try:
            atoms = plain(structure)
            for element in sorted({site.specie.symbol for site in atoms}):
                known_atom(element)
            return hole_cell(
                atoms, site_index, supercell=self.options.inputs.get("supercell"),
                distance_a=self.options.hole_distance,
            )  # fmt: skip
        except NoInputError as error:
            raise FailedRunError(error.reason, str(error)) from None
        except XanesflowError as error:
            missing = "pseudopotential" in str(error)
            raise FailedRunError("no_potential" if missing else "cannot_simulate", str(error)) from None

    def _job(self, cell: HoleCell, plan: StepPlan, *, hole: bool) -> HoleJob:
        options = self.options
        return HoleJob(
            command=command_words(options.command),
            element=cell.structure[0].specie.symbol,
            structure=cell.structure.as_dict(),
            cutoffs=(options.ecutwfc, options.ecutrho),
            field_grid=plan.field_grid,
            spectrum_grid=plan.spectrum_grid if hole else None,
            spectrum_shift=plan.spectrum_shift,
            pairs=[(k, axis, number) for (k, axis), number in plan.pairs.items()] if hole else [],
            half_width_ev=options.width / 2,
            steps=options.steps,
            metals=options.metals,
            max_corrections=options.max_corrections,
            steps_folder=str(self.steps_folder) if self.steps_folder else None,
            keep_steps=self.keep_steps,
        )


class HoleFreeState(_HoleStep):
    """The ground state of a material, in the cell that all its sites share."""

    def settings(self) -> dict[str, Any]:
        """Return what the ground state depends on."""
        return {"code": "XSpectra", "step": "ground state", "method": _VERSION, **_settings(self.options, _OF_FIELD)}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write job.json of the ground state.

        Raises:
            FailedRunError: an element has no pseudopotential; or too little memory.
        """
        cell = self._cell(structure, 0)
        plan = plan_step(cell, self.options)
        check_memory(plan.memory_mb)
        self._job(cell, plan, hole=False).write(folder)


class XspectraEngine(_HoleStep):
    """The core hole of a site."""

    @property
    def at_a_time(self) -> int:
        """Return how many runs of a chunk run at once: one with MPI, which uses the cores itself."""
        return 1 if self.options.command else 4

    @property
    def shared(self) -> HoleFreeState:
        """Return the engine of the ground state."""
        return HoleFreeState(self.options, self.steps_folder, self.keep_steps)

    def settings(self) -> dict[str, Any]:
        """Return all that a spectrum depends on; the records hold the version and the pseudopotentials' hashes.

        Raises:
            XanesflowError: a program is missing; names the package of Debian that has it.
        """
        words = command_words(self.options.command)
        for program in (*words[:1], *PROGRAMS):
            if which(program) is None:
                package = "quantum-espresso libopenblas0-serial" if program in PROGRAMS else "openmpi-bin"
                raise XanesflowError(
                    f"XSpectra cannot be run: there is no program {program} on the PATH; install it (Debian: apt-get "
                    f"install --no-install-recommends {package}), or write inputs with `snakemake inputs` and run them "
                    "elsewhere."
                )
        settings = _settings(self.options, (*_OF_FIELD, *_OF_SPECTRUM))
        return {"code": "XSpectra", "step": "core hole", "method": _VERSION, **settings}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write job.json of a site, and log its cell, k-points, memory and time.

        Raises:
            FailedRunError: an element has no pseudopotential; or too little memory.
        """
        cell = self._cell(structure, site_index)
        plan = plan_step(cell, self.options)
        log.info("site %d: %s", site_index, plan.sentence())
        check_memory(plan.memory_mb)
        self._job(cell, plan, hole=True).write(folder)

    def take_shared(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write ground_state.json: the energy of the ground state."""
        figures = {key: record[key] for key in _GROUND}
        write_text(folder / GROUND_STATE, json.dumps(figures))


def _settings(options: XspectraRunOptions, keys: tuple[str, ...]) -> dict[str, Any]:
    every = asdict(options)
    return {"supercell": options.inputs.get("supercell"), **{key: every[key] for key in keys}}
