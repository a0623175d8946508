"""Reads the HDF5 file of a prediction."""

from __future__ import annotations

from pathlib import Path

import h5py

from xanesflow.core.errors import XanesflowError
from xanesflow.core.foreign_json import parse_json
from xanesflow.core.hdf5 import read_hdf5
from xanesflow.core.tables import read_rejected_group
from xanesflow.prediction.average import Averages
from xanesflow.prediction.data import SubsetPrediction
from xanesflow.prediction.prediction import Prediction
from xanesflow.prediction.write import BANDS, OPTIONAL, SCHEMA, SCHEMA_VERSION


def read_prediction(path: str | Path) -> Prediction:
    """Read an HDF5 file that `write_prediction` wrote.

    Raises:
        XanesflowError: the file cannot be read, is not a prediction, or has another version.
    """
    path = Path(path)
    with read_hdf5(path, f"{path} cannot be read as a prediction ({{why}}); predict again.") as file:
        schema, version = (str(file.attrs.get(name, "")) for name in ("schema", "schema_version"))
        if schema != SCHEMA:
            raise XanesflowError(f"{path} is an HDF5 file, but not a prediction of xanesflow; name one.")
        if version.split(".")[0] != SCHEMA_VERSION.split(".", maxsplit=1)[0]:
            raise XanesflowError(
                f"{path} has schema version {version[:20] or 'none'}, and this xanesflow reads "
                f"{SCHEMA_VERSION.split('.', maxsplit=1)[0]}.x; predict again."
            )
        names = [name for name in file if name != "rejected"]
        made = {k: v for k, v in file.attrs.items() if k not in {"schema", "schema_version", "remarks"}}
        return Prediction(
            {name: _read_subset(name, file[name]) for name in names},
            read_rejected_group(file),
            parse_json(str(file.attrs["remarks"])),
            made,
        )


def _read_subset(name: str, group: h5py.Group) -> SubsetPrediction:
    optional = {key: group[key][:] if key in group else None for key in OPTIONAL}
    means = group["averages"]
    limit = group.attrs.get("distance_limit")
    shifts = {
        material: float(shift)
        for part in (group, means)
        if "shift" in part
        for material, shift in zip(part["material_id"].asstr()[:], part["shift"][:], strict=True)
    }
    return SubsetPrediction(
        subset=name,
        model=str(group.attrs["model"]),
        features=str(group.attrs["features"]),
        seeds=group["seeds"][:].tolist(),
        energy_ev=group["energy"][:],
        material_id=group["material_id"].asstr()[:].tolist(),
        formula=group["formula"].asstr()[:].tolist(),
        site_index=group["site_index"][:],
        multiplicity=group["multiplicity"][:],
        spectra=group["spectra"][:],
        limit=None if limit is None else float(limit),
        uncalibrated=str(group.attrs["uncalibrated"]),
        averages=Averages(
            means["material_id"].asstr()[:].tolist(),
            means["n_sites"][:],
            means["n_atoms"][:],
            means["spectra"][:],
            *(means[key][:] if key in means else None for key in BANDS),
        ),
        structure_alone=group["structure_alone"][:] if "structure_alone" in group else None,
        shift_ev=shifts,
        **optional,
    )
