"""Quick FEFF as an engine of the workflow: the engine of FEFF with inputs of its own."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.feff.engine import FeffEngine
from xanesflow.codes.feff.find_feff import Program, find_program
from xanesflow.codes.feff.pip_feff import PACKAGE, package_version
from xanesflow.codes.feffq.options import QUICK_VERSION, FeffqOptions
from xanesflow.codes.feffq.read_field import read_field
from xanesflow.codes.feffq.write_inputs import write_feff_inp


class FeffqEngine(FeffEngine):
    """Runs `python -m xanesflow.codes.feff run` in the site's folder."""

    theory = "FEFFQ"

    def __init__(self, options: FeffqOptions) -> None:
        self.quick_options = options

    @property
    def limits(self) -> tuple[float, int, bool]:
        """Time limit in seconds, number of corrections, and whether the radius of the field may be made smaller."""
        return self.quick_options.time_limit, self.quick_options.max_corrections, True

    def settings(self) -> dict[str, Any]:
        """Return what a good result depends on: the settings and the versions."""
        code = f"quick {QUICK_VERSION}, FEFF 10 of {PACKAGE} {package_version()}"
        return {"code": code, "settings": self.quick_options.settings, **self.quick_options.quick.as_dict()}

    def write_feff_inp(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write feff.inp."""
        text = write_feff_inp(structure, site_index, self.quick_options.quick)
        (folder / "feff.inp").write_text(text, encoding="utf-8")

    def record(self, folder: Path) -> dict[str, Any]:
        """Return attempts and corrections, and numbers of the field (`read_field`)."""
        log = folder / self.log_name
        said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        return {**super().record(folder), "field": read_field(said)}

    @cached_property
    def program(self) -> Program:
        """The FEFF of pip with our own scattering."""
        return find_program(None, far_radius=self.quick_options.quick.far_radius)
