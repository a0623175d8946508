"""Runs of the stand-in for VASP: its command, a library of POTCARs with text of our own, and small crystals."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from pymatgen.core import Lattice, Structure
from shared_data import PROJECT

from xanesflow.codes.vasp.engine import VaspEngine
from xanesflow.codes.vasp.options import VaspOptions
from xanesflow.config.inputs import InputsSection

STAND_IN = PROJECT / "tests/support/stand_in_vasp.py"

MARK = "MARK licensed text that may lie nowhere but in a scratch folder"
"""Stands in each POTCAR of the library, in its head (which VASP repeats in OUTCAR) and in its body."""

SMALL: dict[str, Any] = {"supercell": 4.0, "kpoint_length": 8.0, "core_hole": {"CH_NEDOS": 60}}
"""Inputs that take no time: what they ask for would mean little."""


def make_library(folder: Path) -> Path:
    """A library of POTCARs in pymatgen's layout. None of it is VASP's."""
    for title in ("Ti_sv_GW", "O_GW", "Sr_sv_GW"):
        place = folder / "POT_GGA_PAW_PBE_54" / title
        place.mkdir(parents=True)
        element = title.partition("_")[0]
        place.joinpath("POTCAR").write_text(
            f"  PAW_PBE {title} of the tests\n   12.0\n parameters from PSCTR are:\n   VRHFIN ={element}: made up\n"
            f"   LEXCH  = PE\n   TITEL  = PAW_PBE {title} 01Jan2026\n   POMASS =   47.880; ZVAL   =   12.000    mass\n"
            f"   ENMAX  =  400.000; ENMIN  =  300.000 eV\n   {MARK}\nEND of PSCTR-controll parameters\n local part\n"
            f" 0.1 0.2 0.3\n{MARK}\n End of Dataset\n"
        )
    return folder


def command(marks: Path) -> str:
    """What `simulations.vasp_command` is."""
    return shlex.join([sys.executable, "-I", "-S", str(STAND_IN), str(marks)])


def engine(marks: Path, **options: Any) -> VaspEngine:
    """The engine with quick looks at what VASP does."""
    marks.mkdir(parents=True, exist_ok=True)
    inputs = {**InputsSection().of("VASP"), **SMALL, **options.pop("inputs", {})}
    quick: dict[str, Any] = {"time_limit": 60.0, "max_errors": 4, "frozen_after": 30.0, "poll": 0.02}
    values = {"command": command(marks), "monitor_every": 0.04, **quick, **options}
    return VaspEngine(VaspOptions(element="Ti", inputs=inputs, **values))


def go_wrong(marks: Path, **faults: list[str]) -> None:
    """What goes wrong at each start: SCF, hole, or `<formula>_SCF` for one material."""
    marks.mkdir(parents=True, exist_ok=True)
    (marks / "faults.json").write_text(json.dumps({name.replace("_", " "): given for name, given in faults.items()}))


def starts(marks: Path) -> dict[str, int]:
    """How often the stand-in was started by material and step, since this was asked last."""
    counts: dict[str, int] = {}
    for path in sorted(marks.glob("* *")):
        name = path.name.rpartition(" ")[0]
        counts[name] = counts.get(name, 0) + 1
        path.unlink()
    return counts


def two_titania() -> Structure:
    """A made-up TiO2 with two unlike titanium atoms, 0 and 1."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.2, 0, 0], [0.5, 0.5, 0.05], [0, 0.5, 0.2], [0.5, 0, 0.75]]
    return Structure(Lattice.orthorhombic(4.1, 4.4, 4.2), ["Ti", "Ti", "O", "O", "O", "O"], places)


def strontium_titanate() -> Structure:
    """SrTiO3: the titanium is atom 1."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(4.2), ["Sr", "Ti", "O", "O", "O"], places)
