"""Finished runs of the stand-in for VASP in Lightshow's tree, as someone's archive holds them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymatgen.core import Structure
from pymatgen.io.vasp.inputs import Poscar
from vasp_runs import SMALL, command, go_wrong, make_library

from xanesflow.codes.vasp.write_inputs import Vasp
from xanesflow.config.inputs import InputsSection

POINTS = 2000
"""Energies of the dielectric function, 0.33 eV apart."""


def write_runs(
    tree: Path,
    material_id: str,
    structure: Structure,
    sites: Sequence[int],
    **faults: list[str],
) -> Path:
    """Write the POSCAR of a material of titanium, its ground state and the core hole of each site; its folder.

    Args:
        tree: the archive.
        material_id: its id.
        structure: the material.
        sites: 0-based indices of the absorbers.
        faults: what goes wrong with SCF and hole, see stand_in_vasp.py.
    """
    aside = tree.with_name(f"{tree.name}-aside")
    marks = aside / f"marks-{material_id}"
    go_wrong(marks, **faults)
    library = aside / "library"
    if not library.exists():
        make_library(library)
    folder = tree / "Ti" / material_id
    folder.mkdir(parents=True)
    Poscar(structure).write_file(folder / "POSCAR")
    inputs: dict[str, Any] = InputsSection().of("VASP") | SMALL | {"core_hole": {"CH_NEDOS": POINTS}}
    Vasp(inputs, "Ti").write(folder, structure, list(sites))
    for step in sorted((folder / "VASP").iterdir(), reverse=True):  # SCF first
        titles = (step / "POTCAR.spec").read_text().split()
        texts = [(library / "POT_GGA_PAW_PBE_54" / title / "POTCAR").read_text() for title in titles]
        (step / "POTCAR").write_text("".join(texts))
        subprocess.run(shlex.split(command(marks)), cwd=step, check=False, capture_output=True)
        (step / "POTCAR").unlink()
    return folder


def files_of(step: Path) -> dict[str, bytes]:
    """The files of a step by name."""
    return {path.name: path.read_bytes() for path in step.iterdir()}
