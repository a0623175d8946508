"""Read and check a finished run of VASP: the core hole step of a site, with the ground state of its material.

`read_steps` checks the two steps, and `make_spectrum` makes the spectrum from them.
"""

from __future__ import annotations

import re
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.registry import VASP
from xanesflow.codes.run_description import RunDescription
from xanesflow.codes.vasp.constants import Processing
from xanesflow.codes.vasp.make_spectrum import VaspSpectrum, make_spectrum
from xanesflow.codes.vasp.read_steps import GROUND_STATE, Step, read_core_hole, read_ground_state, step_files
from xanesflow.core.errors import BadRunError

_HEAD = 2000  # bytes of OUTCAR that name the program
_VERSION = re.compile(r"vasp\.([\d.]+\d)")


class VaspReader:
    """Reads the runs of a chunk one after another, and checks the ground state of a material once for all its sites."""

    def __init__(self, processing: Processing) -> None:
        self.processing = processing
        self._checked: tuple[FinishedRun, Step | BadRunError] | None = None

    def __call__(
        self, run: FinishedRun, shared: FinishedRun | None, *, element: str, structure: Structure | None
    ) -> VaspSpectrum:
        """Read and check a run.

        Args:
            run: the core hole step of a site.
            shared: the ground state of its material.
            element: symbol of the absorber.
            structure: the material.

        Raises:
            BadRunError: one of the steps cannot be used; holds the reason.
        """
        ground_state = self._ground_state(shared)
        hole = read_core_hole(run.files, ground_state, element=element, structure=structure, site_index=run.site_index)
        return make_spectrum(hole, self.processing)

    def _ground_state(self, shared: FinishedRun | None) -> Step:
        if shared is None:
            raise BadRunError("no_output", f"{GROUND_STATE}: it is missing")
        if self._checked is None or self._checked[0] is not shared:
            try:
                self._checked = shared, read_ground_state(shared.files)
            except BadRunError as error:
                self._checked = shared, error
        found = self._checked[1]
        if isinstance(found, BadRunError):
            raise BadRunError(found.reason, found.detail)
        return found


def check_folder(
    folder: Path, *, element: str | None = None, structure: Structure | None = None, site_index: int = 0
) -> None:
    """Check the core hole step in a folder of Lightshow's tree, with the ground state next to it.

    It does not check whether the spectrum covers a grid.

    Args:
        folder: of the site's run.
        element: symbol of the absorber.
        structure: the material; None: the absorber's surroundings are not compared.
        site_index: 0-based index of the absorber into `structure`.

    Raises:
        BadRunError: one of the steps is not good; holds the reason.
    """
    scf = folder.resolve().parent / VASP.shared_folder
    ground_state = read_ground_state(step_files(scf) if scf.is_dir() else {})
    read_core_hole(step_files(folder), ground_state, element=element or "", structure=structure, site_index=site_index)


def describe_folder(folder: Path) -> RunDescription:
    """Say what the core-hole step in a folder is; its absorber is the first atom of POSCAR.

    Raises:
        BadRunError: a file is unreadable.
    """
    files = step_files(folder)
    version = _VERSION.search(files.get("OUTCAR", b"")[:_HEAD].decode("utf-8", errors="replace"))
    poscar = files.get("POSCAR", b"").decode("utf-8", errors="replace").splitlines()
    absorber = re.match(r"\s*([A-Z][a-z]?)\b", poscar[5]) if len(poscar) > 5 else None
    incar = files.get("INCAR", b"").decode("utf-8", errors="replace")
    tags = {key.upper(): value for key, value in re.findall(r"\b(\w+)\s*=\s*(\S+)", incar)}
    hole = (tags.get("ICORELEVEL"), tags.get("CLN", "1"), tags.get("CLL", "0"))  # VASP's defaults
    edge = "K" if hole == ("2", "1", "0") else ""
    return RunDescription("VASP", version[1] if version else "", absorber[1] if absorber else "", edge)
