"""Lets Lightshow 1.2 run with today's pymatgen; the only module that imports it.

Lightshow 1.2.8 is written for pymatgen 2024.3.1. What stands in the way today, and where it is dealt with:

- it imports `pymatgen.io.vasp.sets.DictSet`, whose name today is `VaspInputSet`: here;
- it takes folders of potentials and species files from the environment and would copy licensed files, or write paths
  of this machine, into the inputs: here;
- pymatgen's writer of feff.inp counts atoms of the cluster as stoichiometry, and is slow:
  `xanesflow.codes.feff.write_inputs`;
- spin-polarised INCARs fail with KeyError 'MAGMOM'; the paper's are not spin-polarised:
  `xanesflow.codes.vasp.write_inputs`;
- `as_dict` of the FDMNES parameters fails, which only Lightshow's own Database needs: `xanesflow.codes.fdmnes`.

tests/unit/test_lightshow_bridge.py tells when a newer Lightshow or pymatgen makes one of them needless.
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
"""What to call where it is missing: its metadata pin a pymatgen of 2024, so it comes without its dependencies."""

_FOLDERS = ("VASP_POTCAR_DIRECTORY", "XS_CHPSP_DIRECTORY", "XS_PSP_DIRECTORY", "SPECIES_DIRECTORY")
"""Environment variables by which Lightshow finds potentials and species files."""


def import_lightshow(module: str = "") -> ModuleType:
    """Import Lightshow, or a module of it, with the old name put where it looks for it.

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
    """Build and use Lightshow's objects without the potentials of this machine, and without its warnings of that."""
    kept = {name: os.environ.pop(name) for name in _FOLDERS if name in os.environ}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.environ.update(kept)
