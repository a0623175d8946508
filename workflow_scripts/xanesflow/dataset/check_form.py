"""Check the form of a subset in an open dataset without reading it: types, axes and rows of its arrays."""

from __future__ import annotations

from pathlib import Path

import h5py

from xanesflow.core.arrays import check_type
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadArrayError, SenselessFileError, XanesflowError
from xanesflow.dataset.file import names_in

COLUMNS = ("material_id", "site_index", "multiplicity", "split", "corrections", "settings")


def check_form(path: Path, group: h5py.Group, name: str) -> None:
    """Check those arrays of a subset that are there.

    Args:
        path: of the dataset, for messages.
        group: the subset.
        name: of it.

    Raises:
        XanesflowError: an array has another type or another number of axes, rows or energies than it should.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    features = group.get("features")
    known = names_in(features) if isinstance(features, h5py.Group) else []
    for array in ("energy", "spectra", *COLUMNS, *(f"features/{each}" for each in known)):
        if array not in group:
            continue
        try:
            shapes[array] = check_type(group, array).shape
        except (BadArrayError, SenselessFileError) as error:
            raise XanesflowError(
                f"{name} in {path} is not laid out as a dataset of xanesflow ({array}: {what_is_wrong(error)}); "
                "build it again, or see `xanesflow dataset validate`."
            ) from None
    if "spectra" not in shapes:
        return
    n, points = shapes["spectra"]
    for array, shape in shapes.items():
        if array != "energy" and shape[0] != n:
            raise XanesflowError(
                f"{name} in {path} has {n} spectra, but {shape[0]} rows of {array.rsplit('/', maxsplit=1)[-1]}; "
                "build the dataset again (snakemake dataset)."
            )
    if shapes.get("energy", (points,)) != (points,) or not points:
        raise XanesflowError(
            f"{name} in {path} has spectra of {points} numbers and a grid of {shapes['energy'][0]} energies; build the "
            "dataset again (snakemake dataset)."
        )
