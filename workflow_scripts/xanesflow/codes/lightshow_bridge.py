"""Lets Lightshow 1.2 run with today's pymatgen; only this module imports Lightshow.

Lightshow 1.2.8 was written for pymatgen 2024.3.1. Today's obstacles, and where each is solved:

- it imports `pymatgen.io.vasp.sets.DictSet`, which is now called `VaspInputSet`: here;
- it takes folders of potentials and species files from the environment, and would copy licensed files, or write paths
  of this machine, into the inputs: here;
- pymatgen's writer of feff.inp counts atoms of the cluster as stoichiometry, and is slow:
  `xanesflow.codes.feff.write_inputs`;
- spin-polarised INCARs fail with KeyError 'MAGMOM'; the paper's are not spin-polarised:
  `xanesflow.codes.vasp.write_inputs`;
- `as_dict` of the FDMNES parameters fails; only Lightshow's own Database needs it: `xanesflow.codes.fdmnes`.

tests/unit/test_lightshow_bridge.py fails when a newer Lightshow or pymatgen makes one of them unnecessary.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from xanesflow.core.errors import XanesflowError

INSTALL = "pip install --no-deps lightshow==1.2.8"
"""How to install Lightshow. Its metadata pin a pymatgen of 2024, so install it without its dependencies."""

_FOLDERS = ("VASP_POTCAR_DIRECTORY", "XS_CHPSP_DIRECTORY", "XS_PSP_DIRECTORY", "SPECIES_DIRECTORY")
"""Environment variables by which Lightshow finds potentials and species files."""


def import_lightshow(module: str = "") -> ModuleType:
    """Import Lightshow, or a module of it, after giving pymatgen's class the old name that it looks for.

    Args:
        module: such as `parameters.feff`; empty: Lightshow itself.

    Raises:
        XanesflowError: Lightshow is not installed.
    """
    sets = importlib.import_module("pymatgen.io.vasp.sets")
    if not hasattr(sets, "DictSet"):
        sets.DictSet = sets.VaspInputSet  # type: ignore[attr-defined]
    try:
        return importlib.import_module(f"lightshow.{module}".rstrip("."))
    except ModuleNotFoundError as error:
        if error.name != "lightshow":
            raise
        raise XanesflowError(f"Lightshow is not installed; install it with: {INSTALL}") from None


@contextmanager
def without_local_folders() -> Iterator[None]:
    """Hide this machine's potentials from Lightshow, and silence its warnings about that."""
    kept = {name: os.environ.pop(name) for name in _FOLDERS if name in os.environ}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.environ.update(kept)
