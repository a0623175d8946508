"""Lets Lightshow 1.2 run with today's pymatgen; the only module that imports it.

Lightshow 1.2.8 is written for pymatgen 2024.3.1 and imports `pymatgen.io.vasp.sets.DictSet`, whose name today is
`VaspInputSet`. A test tells when a newer Lightshow makes this module needless.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from xanesflow.errors import XanesflowError


def import_lightshow() -> ModuleType:
    """Import Lightshow, with the old name put where it looks for it.

    Raises:
        XanesflowError: Lightshow is not installed.
    """
    sets = importlib.import_module("pymatgen.io.vasp.sets")
    if not hasattr(sets, "DictSet"):
        sets.DictSet = sets.VaspInputSet  # type: ignore[attr-defined]
    try:
        return importlib.import_module("lightshow")
    except ModuleNotFoundError as error:
        if error.name != "lightshow":
            raise
        raise XanesflowError(
            "Lightshow is not installed; run `make setup`, or pip install --no-deps -r requirements-lightshow.txt."
        ) from None
