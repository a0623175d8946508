"""The small file with a model's calibrated error bars; reading it needs no PyTorch and no data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from xanesflow.core.errors import NotCalibratedError, SenselessFileError, XanesflowError
from xanesflow.core.files import atomic_path
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.hdf5 import check_schema, read_hdf5, write_numbers
from xanesflow.evaluation.error_bars.calibration import LEVELS, Calibration, Ensemble
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.evaluation.error_bars.error_scale import ErrorScale

SCHEMA = "xanesflow calibration 1"

SITES = ("mean", "scale", "axes", "points")

_AGAIN = "delete it and run snakemake evaluation"


def write_calibration(
    output: str | Path,
    found: Calibration | None,
    owner: Ensemble,
    reason: str,
    made: dict[str, str],
    *,
    sites: TrainingSites | None = None,
) -> None:
    """Write a calibration, or the reason why there is none; whole or not at all.

    Args:
        output: the HDF5 file.
        found: the calibration; None if there is none.
        owner: its ensemble.
        reason: why there is none, in a sentence; empty if there is one.
        made: attributes on how it was made (`xanesflow.core.provenance`).
        sites: the training sites, if there is no calibration that holds them.
    """
    sites = found.sites if found is not None else sites
    with atomic_path(output) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(
            {
                "schema": SCHEMA,
                "model": owner.model,
                "features": owner.features,
                "subset": owner.subset,
                "checkpoints_sha256": json.dumps(owner.checkpoints, sort_keys=True),
                "reason": reason,
                **made,
            }
        )
        if sites is not None:
            if sites.limit is not None:
                file.attrs["distance_limit"] = sites.limit
            for name in SITES:
                values = getattr(sites, name)
                file.create_dataset(f"sites/{name}", data=values, compression="gzip" if values.size > 1000 else None)
        if found is None:
            return
        file.attrs.update({"n_spectra": found.n_spectra, "n_materials": found.n_materials})
        file.attrs["typical_distance"] = found.scale.typical_distance
        for name, values, unit in (
            ("levels", LEVELS, "1"),
            ("weights", found.scale.weights, "1"),
            ("residuals", found.scale.residuals, "bohr^4"),
            ("spread", found.scale.spread, "bohr^4"),
            ("points", found.points, "sigma"),
            ("spectra", found.spectra, "sigma"),
        ):
            write_numbers(file, name, values, unit)


def read_calibration(path: str | Path, owner: Ensemble | None = None) -> Calibration:
    """Read what `write_calibration` wrote.

    Args:
        path: the file.
        owner: the ensemble whose predictions need error bars; None: any.

    Raises:
        XanesflowError: the file cannot be read, is not a calibration, or belongs to another ensemble.
        NotCalibratedError: the file holds no error bars; the error says why.
    """
    with _opened(path) as file:
        attributes, of = file.attrs, _owner(file)
        if reason := str(attributes["reason"]):
            raise NotCalibratedError(reason)
        if not np.array_equal(file["levels"][:], LEVELS):
            raise SenselessFileError("its levels are not those of this version")
        found = Calibration(
            scale=ErrorScale(
                file["weights"][:], file["residuals"][:], file["spread"][:], float(attributes["typical_distance"])
            ),
            points=file["points"][:],
            spectra=file["spectra"][:],
            n_spectra=int(attributes["n_spectra"]),
            n_materials=int(attributes["n_materials"]),
            sites=_sites(file),
            owner=of,
        )
    if owner is not None and owner != of:
        what = difference(of, owner)
        raise XanesflowError(f"{path} is the calibration of another model ({what}); {_AGAIN}.")
    return found


def read_owner_and_sites(path: str | Path) -> tuple[Ensemble, TrainingSites | None]:
    """Read a calibration's ensemble and its training sites, whether or not there are error bars.

    Raises:
        XanesflowError: the file cannot be read or is not a calibration.
    """
    with _opened(path) as file:
        return _owner(file), _sites(file)


@contextmanager
def _opened(path: str | Path) -> Iterator[h5py.File]:
    """Open a calibration; report what it lacks as an XanesflowError, also what the block finds missing."""
    with read_hdf5(path, f"{path} is not a calibration of xanesflow ({{why}}); {_AGAIN}.") as file:
        check_schema(file, SCHEMA)
        yield file


def _owner(file: h5py.File) -> Ensemble:
    checkpoints = {int(seed): sha for seed, sha in parse_object(str(file.attrs["checkpoints_sha256"])).items()}
    model, features, subset = (str(file.attrs[name]) for name in ("model", "features", "subset"))
    return Ensemble(model, features, subset, checkpoints)


def _sites(file: h5py.File) -> TrainingSites | None:
    if "sites" not in file:
        return None
    limit = file.attrs.get("distance_limit")  # a calibration of xanesflow 0.1 may lack it
    mean, scale, axes, points = (file[f"sites/{name}"][:] for name in SITES)
    fits = mean.shape == scale.shape == axes.shape[1:] and points.ndim == 2
    if not fits or (len(points) and points.shape[1] != len(axes)):
        raise SenselessFileError("its training sites are not places along its axes")
    return TrainingSites(mean, scale, axes, points, None if limit is None else float(limit))


def difference(there: Ensemble, here: Ensemble) -> str:
    """How the ensemble of a calibration (`there`) differs from another one (`here`), in words."""
    for name in ("model", "features", "subset"):
        if getattr(there, name) != getattr(here, name):
            return f"of {getattr(there, name)}, not {getattr(here, name)}"
    if there.checkpoints.keys() != here.checkpoints.keys():
        return f"of the seeds {sorted(there.checkpoints)}, not {sorted(here.checkpoints)}"
    seed = next(seed for seed, sha in sorted(here.checkpoints.items()) if there.checkpoints[seed] != sha)
    return f"its seed {seed} has the hash {there.checkpoints[seed][:12]}, not {here.checkpoints[seed][:12]}"
