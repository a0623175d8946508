"""Run one step in one folder: pseudopotentials, field, and with a hole the Lanczos recursions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.xspectra.hole_job import GROUND_STATE, LANCZOS, RESULT, HoleJob
from xanesflow.codes.xspectra.lanczos import Chain, as_plain, read_chains, restart_file
from xanesflow.codes.xspectra.pseudopotentials import make_pseudopotential, write_core_wave
from xanesflow.codes.xspectra.saved_steps import SavedSteps
from xanesflow.codes.xspectra.scf import (
    START,
    ConvergedField,
    check_insulator,
    correct,
    hole_energy_ev,
    last_words,
    memory_mb,
    read_field,
)
from xanesflow.codes.xspectra.step_plan import check_memory
from xanesflow.codes.xspectra.write_run import field_input, xanes_input
from xanesflow.core.errors import FailedRunError
from xanesflow.core.files import write_text
from xanesflow.core.text import plural

_CORE_EV = 0.0  # XSpectra only copies it from the restart file and takes its own


def run_hole_step(folder: Path) -> dict[str, Any]:
    """Do the job of a folder, and write result.json; with a hole, lanczos.json too.

    Returns:
        The result.

    Raises:
        FailedRunError: the step is not good; holds the reason.
    """
    job = HoleJob.read(folder)
    structure = Structure.from_dict(job.structure)
    hole = job.spectrum_grid is not None
    # Pseudopotentials: of the absorber with its hole, and of every element.
    wanted = [(element, False) for element in sorted({site.specie.symbol for site in structure})]
    made = {
        (element, with_hole): make_pseudopotential(element, folder, hole=with_hole)
        for element, with_hole in [*wanted, *([(job.element, True)] if hole else [])]
    }
    result: dict[str, Any] = {"pseudopotentials": {each.name: asdict(each) for each in made.values()}}
    # The field, with corrections where it does not converge.
    name = "es" if hole else "gs"
    depends = [_field_input(job, structure, name, START), *sorted(each.sha256 for each in made.values())]
    saved = SavedSteps(Path(job.steps_folder) if job.steps_folder else None, depends)
    if before := saved.take_field(folder, name):
        field, corrections = before
    else:
        field, corrections = _run_field(job, structure, folder, name)
        saved.save_field(folder, name, field, corrections)
    result |= {"corrections": corrections, "attempts": 1 + len(corrections), "resumed": bool(before), **asdict(field)}
    if not hole and not job.metals:
        check_insulator(field)
    if hole:
        ground = json.loads((folder / GROUND_STATE).read_text(encoding="utf-8"))
        lower = ConvergedField(ground["energy_ry"], ground["fermi_ev"], ground["smearing_ry"], ground["version"])
        edge = hole_energy_ev(
            field, lower, hole_core_ry=made[job.element, True].core_ry, core_ry=made[job.element, False].core_ry
        )
        write_core_wave((folder / made[job.element, True].name).read_text(encoding="utf-8"), folder / "core.wfc")
        chains, core_ev = _run_recursions(job, folder, field, saved)
        result |= {"edge_ev": edge, "ground_state_energy_ry": lower.energy_ry, "recursions": len(chains)}
        lanczos = {
            "edge_ev": edge, "fermi_ev": field.fermi_ev, "core_ev": core_ev, "version": field.version,
            "element": job.element, "width_ev": 2 * job.half_width_ev, "spectrum_grid": job.spectrum_grid,
            "spectrum_shift": job.spectrum_shift, "chains": as_plain(chains),
        }  # fmt: skip
        write_text(folder / LANCZOS, json.dumps(lanczos))
    write_text(folder / RESULT, json.dumps(result, indent=1))
    if not job.keep_steps:
        saved.forget()
    return result


def _run_field(
    job: HoleJob, structure: Structure, folder: Path, name: str
) -> tuple[ConvergedField, list[dict[str, Any]]]:
    """Run `pw.x` until its field converges or no correction is left.

    Raises:
        FailedRunError: it did not converge; or too little memory.
    """
    electrons, corrections = dict(START), list[dict[str, Any]]()
    while True:
        write_text(folder / f"{name}.in", _field_input(job, structure, name, electrons))
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        printed = _run(job, folder, "pw.x", f"{name}.in", f"{name}.out")
        try:
            return read_field(printed), corrections
        except FailedRunError:
            changes = correct(electrons, printed) if len(corrections) < job.max_corrections else {}
            if not changes:
                if needed := memory_mb(printed):
                    check_memory(needed)
                raise
            electrons |= {key: new for key, (_, new) in changes.items()}
            corrections.append({"errors": [last_words(printed)], "changes": changes})


def _field_input(job: HoleJob, structure: Structure, name: str, electrons: Mapping[str, Any]) -> str:
    return field_input(structure, hole=name == "es", cutoffs=job.cutoffs, grid=job.field_grid, electrons=electrons)


def _run_recursions(job: HoleJob, folder: Path, field: ConvergedField, saved: SavedSteps) -> tuple[list[Chain], float]:
    """Run `xspectra.x` once for each axis that is needed and was not computed before.

    Raises:
        FailedRunError: a recursion failed, or did not converge.
    """
    assert job.spectrum_grid is not None
    points = job.spectrum_grid[0] * job.spectrum_grid[1] * job.spectrum_grid[2]
    total = sum(number for _, _, number in job.pairs)
    chains: list[Chain] = []
    core_ev = 0.0
    for axis in sorted({axis for _, axis, _ in job.pairs}):
        weights = {k: number / total for k, each, number in job.pairs if each == axis}
        restart = restart_file(
            list(weights), points, steps=job.steps, core_ev=_CORE_EV, fermi_ev=field.fermi_ev, axis=axis
        )  # fmt: skip
        write_text(folder / "xanes.sav", restart)
        name = f"xanes{axis + 1}"
        given = xanes_input(
            axis=axis, grid=job.spectrum_grid, shift=job.spectrum_shift, steps=job.steps,
            half_width_ev=job.half_width_ev,
        )  # fmt: skip
        write_text(folder / f"{name}.in", given)
        depends = [given, json.dumps(weights)]
        if before := saved.take_recursions(depends, folder / f"{name}.out"):
            chains += before[0]
            core_ev = before[1]
            continue
        printed = _run(job, folder, "xspectra.x", f"{name}.in", f"{name}.out")
        check_recursions(printed, len(weights), axis)
        found, core_ev, _ = read_chains((folder / "xanes.sav").read_text(encoding="ascii"), weights)
        saved.save_recursions(depends, chains=found, core_ev=core_ev, printed=printed)
        chains += found
    return chains, core_ev


def check_recursions(printed: str, number: int, axis: int) -> None:
    """Check what `xspectra.x` printed.

    Args:
        printed: by it.
        number: of k-points that it was to compute.
        axis: of the light, for messages.

    Raises:
        FailedRunError: not_a_number, truncated or not_converged.
    """
    light = "xyz"[axis]
    if "NaN" in printed:
        raise FailedRunError(
            "not_a_number",
            f"XSpectra printed NaN for light along {light}: the overlap of a pseudopotential is not positive",
        )
    if "END JOB XSpectra" not in printed:
        raise FailedRunError("truncated", f"XSpectra broke off for light along {light}: {last_words(printed)}")
    good = printed.count("=> CONVERGED at iter")
    if good < number:
        raise FailedRunError(
            "not_converged",
            f"{good} of {plural(number, 'recursion')} converged for light along {light}; more steps may help "
            "(simulations.xspectra.steps)",
        )


def _run(job: HoleJob, folder: Path, program: str, given: str, output: str) -> str:
    """Run a program with an input, and return what it printed."""
    with (folder / given).open("rb") as opened, (folder / output).open("wb") as written:
        done = subprocess.run(
            [*job.command, program], stdin=opened, stdout=written, stderr=subprocess.STDOUT, cwd=folder, check=False
        )
    printed = (folder / output).read_text(encoding="utf-8", errors="replace")
    if done.returncode < 0:
        raise FailedRunError("killed", f"{program} was ended by signal {-done.returncode}: {last_words(printed)}")
    return printed
