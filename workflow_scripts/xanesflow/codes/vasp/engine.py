"""VASP as an engine of the workflow (see `xanesflow.codes.engine`)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shutil import rmtree, which
from typing import Any, ClassVar

from pymatgen.core import Structure
from pymatgen.io.vasp.inputs import Poscar

from xanesflow.codes.plain_structure import plain
from xanesflow.codes.run_files import VASP_FILES
from xanesflow.codes.run_in_folder import FolderStep, lines_of, read_json
from xanesflow.codes.vasp.options import VaspOptions
from xanesflow.codes.vasp.potcar import HOW, SPEC, assemble, describe_potcars, library
from xanesflow.codes.vasp.step_job import CORRECTIONS, GROUND_STATE, JOB, RESULT, STARTS, Job
from xanesflow.codes.vasp.step_outputs import kept_content
from xanesflow.codes.vasp.step_tags import OF_SPECIES, differing_tag
from xanesflow.codes.vasp.write_inputs import Vasp
from xanesflow.core.errors import FailedRunError, NoInputError, XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.sites import WHOLE_MATERIAL
from xanesflow.core.text import quoted
from xanesflow.running.process import command_words

_OTHER_WAYS = (
    "Without VASP, use the embedded engine (subsets of FEFF8L), or write VASP's inputs with `snakemake inputs` and run "
    "them elsewhere."
)
_OF_GROUND_STATE = ("supercell", "kpoint_length", "scf", "potcars", "potcar_functional")
_PRINTED = 4 * 2**20  # last bytes to keep of the output of VASP and of the job
_LIGHTSHOW = threading.Lock()  # using Lightshow changes the environment of the whole process


@dataclass
class _Step(FolderStep):
    """The shared part of ground state and core hole."""

    options: VaspOptions
    package: ClassVar[str] = "vasp"
    keep: tuple[str, ...] = field(default=(*VASP_FILES, "vasp.out", "custodian.log", "run.log"), init=False)

    def record(self, folder: Path) -> dict[str, Any]:
        """Return the figures of the step, its corrections, and title and SHA-256 of each POTCAR."""
        corrections: list[dict[str, Any]] = read_json(folder / CORRECTIONS) or []
        figures = read_json(folder / RESULT) or {}
        return {
            **({} if "reason" in figures else figures),
            "attempts": max(1, len(lines_of(folder / STARTS))),
            "corrections": corrections,
            "potcars": (read_json(folder / JOB) or {}).get("potcars", {}),
        }

    def kept_content(self, path: Path) -> bytes:
        """Return a file without POTCAR heads (OUTCAR) and projections (vasprun.xml); the last part of a log."""
        content = path.read_bytes()
        return kept_content(path.name, content) if path.name in VASP_FILES else content[-_PRINTED:]

    @cached_property
    def _writer(self) -> Vasp:
        return Vasp(self.options.inputs, self.options.element)

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write VASP/SCF of the material, or VASP/<site>_<element> of a site, with POTCAR."""
        # Lightshow writes both steps into a tree of its own. Move the files of the wanted step out of it.
        material, ground_state = folder / "lightshow", site_index == WHOLE_MATERIAL
        try:
            atoms = plain(structure)
            absorber = atoms.indices_from_symbol(self.options.element)[0] if ground_state else site_index
            with _LIGHTSHOW:
                self._writer.write(material, atoms, [absorber])
        except NoInputError as error:
            raise FailedRunError(error.reason, str(error)) from None
        name = "SCF" if ground_state else f"{absorber:03d}_{self.options.element}"
        for path in (material / "VASP" / name).iterdir():
            path.rename(folder / path.name)
        rmtree(material)

        # Put POTCAR together. A core hole needs exactly the POTCARs of its ground state.
        titles = (folder / SPEC).read_text(encoding="ascii").split()
        functional = str(self.options.inputs["potcar_functional"])
        try:
            text = assemble(titles, functional)
        except XanesflowError as error:
            raise FailedRunError("no_potcar", str(error)) from None
        (folder / "POTCAR").write_text(text, encoding="utf-8")
        potcars = describe_potcars(titles, functional)
        before = (read_json(folder / GROUND_STATE) or {}).get("potcars", {})
        if others := sorted(title for title, own in potcars.items() if before.get(title, own) != own):
            raise FailedRunError(
                "no_potcar",
                f"the POTCAR {others[0]} of your library is not the one of the ground state; put that one back "
                f"({before[others[0]]['titel']})",
            )
        self._write_job(folder, structure, None if ground_state else absorber, potcars)

    def _write_job(
        self, folder: Path, structure: Structure, absorber: int | None, potcars: dict[str, dict[str, str]]
    ) -> None:
        place = None
        if absorber is not None:
            cell = Poscar.from_file(folder / "POSCAR", check_for_potcar=False).structure
            place = cell.lattice.get_fractional_coords(structure[absorber].coords).tolist()
        job = Job(
            command=tuple(command_words(self.options.command)),
            max_errors=self.options.max_errors,
            max_bands=int(self.options.inputs["max_bands"]),
            frozen_after=self.options.frozen_after,
            poll=self.options.poll,
            monitor_every=self.options.monitor_every,
            absorber=place,
        )
        job.write(folder, potcars=potcars)


class GroundState(_Step):
    """The step that the sites of a material share: the ground state of the supercell, without a hole."""

    def settings(self) -> dict[str, Any]:
        """Return what the ground state depends on; the bands of the spectrum and the hole are left out."""
        return {"code": "VASP", "step": "ground state", **{key: self.options.inputs[key] for key in _OF_GROUND_STATE}}


class VaspEngine(_Step):
    """The core hole of a site.

    Raises:
        XanesflowError: with these inputs.vasp, the two steps cannot be compared.
    """

    def __init__(self, options: VaspOptions) -> None:
        super().__init__(options)
        if differing := differing_tag(_own_tags(options.inputs["scf"]), _own_tags(options.inputs["core_hole"]), {}):
            tag, one, other = differing
            raise XanesflowError(
                f"inputs.vasp.scf and inputs.vasp.core_hole must give {tag} the same value, not {one} and {other}: "
                "the difference of their total energies places the spectrum on the energy axis."
            )

    @property
    def at_a_time(self) -> int:
        """Return how many runs of a chunk run at once."""
        return self.options.at_a_time

    @property
    def shared(self) -> GroundState:
        """Return the engine of the ground state."""
        return GroundState(self.options)

    def settings(self) -> dict[str, Any]:
        """Return all of inputs.vasp for this element. The records hold the version of VASP and the POTCARs' hashes.

        Raises:
            XanesflowError: there is no such command, or no library of POTCARs.
        """
        words = command_words(self.options.command)
        if not words or which(words[0]) is None:
            raise XanesflowError(
                f"VASP cannot be run: simulations.vasp_command is {quoted(self.options.command)}, and there is no "
                "program "
                f"{words[0] if words else ''} on the PATH; name the command that starts VASP, such as srun vasp_std. "
                f"{_OTHER_WAYS}"
            )
        if library() is None:
            raise XanesflowError(f"VASP cannot be run: no library of POTCARs is configured; {HOW}. {_OTHER_WAYS}")
        with _LIGHTSHOW:
            _ = self._writer  # report wrong options here, not for each site
        e_range = self.options.inputs["e_range"].get(self.options.element)
        return {"code": "VASP", "step": "core hole", **self.options.inputs, "e_range": e_range}

    def take_shared(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write ground_state.json: the figures of the ground state, and its POTCARs."""
        figures = {key: record[key] for key in ("energy_ev", "cutoff_ev", "volume_a3", "atoms", "potcars")}
        figures |= {key: record.get(key) for key in ("potcar_titles", "k_mesh")}  # earlier versions did not record them
        write_text(folder / GROUND_STATE, json.dumps(figures))


def _own_tags(section: Mapping[str, Any]) -> dict[str, Any]:
    """Tags of inputs.vasp.scf or core_hole to compare; a missing one is Lightshow's, and null leaves it to VASP.

    Tags of each species are compared when the run is read, as the steps differ in their species.
    """
    tags = {tag.upper(): "null" if value is None else value for tag, value in section.items()}
    return {tag: value for tag, value in tags.items() if tag not in OF_SPECIES}
