"""Writes predictions as CSV, HDF5, or files that Athena reads; `read` reads the HDF5 file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import atomic_path, new_folder
from xanesflow.core.hdf5 import write_numbers
from xanesflow.core.sites import WHOLE_MATERIAL, Subset, parent_of
from xanesflow.measured.write_athena import athena_text
from xanesflow.prediction.data import Predicted, SubsetPrediction

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "xanesflow-prediction"
SCHEMA_VERSION = "1.0"

TABLES, HDF5 = (".csv",), (".h5", ".hdf5")

BANDS = ("band_68", "band_95")
OPTIONAL = (*BANDS, "error", "error_95", "distance")
FLAGS = ("unlike", "structure_alone")


def check_output(path: str | Path, *, athena: bool = False) -> None:
    """Raise XanesflowError unless a prediction can be written under this name, for Athena as a new folder."""
    if athena:
        if os.path.lexists(path):
            raise XanesflowError(f"{path} already exists, and nothing is overwritten; name another folder.")
        return
    if Path(path).suffix.lower() not in TABLES + HDF5:
        raise XanesflowError(f"{path} cannot be written: a prediction is a .csv or .h5 file; name one of these.")
    if Path(path).is_dir():
        raise XanesflowError(f"{path} is a folder; name a .csv or .h5 file to write.")


def write_prediction(path: str | Path, prediction: Predicted) -> None:
    """Write a prediction as CSV or HDF5, by the file's ending, whole or not at all.

    Raises:
        XanesflowError: the file has another ending.
    """
    check_output(path)
    if Path(path).suffix.lower() in TABLES:
        table = tabulate(prediction)
        lines = [f"{key}: {value}" for key, value in prediction.made.items()]
        lines.append("cross sections in bohr^2 per atom; site_index counts atoms from 0, -1 is the material's average")
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            file.writelines(f"# {' '.join(line.split())}\n" for line in lines)
            table.to_csv(file, index=False, float_format="%.8g")
        return
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        from xanesflow.core.tables import write_rejected_group

        file.attrs.update({"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **prediction.made})
        file.attrs["remarks"] = json.dumps(prediction.remarks)
        for name, each in prediction.subsets.items():
            _write_subset(file.create_group(name), each)
        write_rejected_group(file, prediction.rejected)


def write_athena_folder(folder: str | Path, prediction: Predicted) -> None:
    """Write a file of two columns for each site, and for each material of several sites its average; see `athena_text`.

    The files are `<subset>/<site id>.dat` and `<subset>/<material id>_average.dat`.

    Raises:
        XanesflowError: the folder exists.
    """
    with new_folder(folder) as temporary:
        for name, each in prediction.subsets.items():
            (temporary / name).mkdir()
            spectra = list(zip(each.ids, each.material_id, each.spectra, strict=True))
            for k in np.flatnonzero(each.averages.n_sites > 1):
                material = each.averages.material_id[k]
                spectra.append((f"{material}_average", material, each.averages.spectra[k]))
            for site, material, spectrum in spectra:
                about = [f"{name} predicted by {each.model} on {each.features}", f"site: {site}", *prediction.origin]
                text = athena_text(each.energies_of(material), spectrum, Subset.parse(name).element, about)
                (temporary / name / f"{site}.dat").write_text(text, encoding="utf-8")


def rejected_beside(output: str | Path) -> Path:
    """Path of the table of what was left out of a prediction."""
    path = Path(output)
    return path.with_name(f"{path.stem}_rejected.csv")


def tabulate(prediction: Predicted) -> pd.DataFrame:
    """A row for each energy of each site, and of each material's average (`site_index` -1, `multiplicity` all atoms).

    Columns: subset, material_id, site_index, formula, multiplicity, energy_eV, cross_section (bohr²). If the model has
    error bars also lower_68, upper_68, lower_95, upper_95 (bohr²), if the training sites are known distance and unlike
    (None where the site's distance is not known), and for a delta model structure_alone.
    """
    import pandas as pd  # slow to import

    parts = []
    for each in prediction.subsets.values():
        parts.append(_rows(each))
        if each.averages.material_id:
            parts.append(_average_rows(each))
    return pd.concat(parts, ignore_index=True)


def _rows(each: SubsetPrediction) -> pd.DataFrame:
    head = {
        "material_id": each.material_id,
        "site_index": each.site_index,
        "formula": each.formula,
        "multiplicity": each.multiplicity,
    }
    tail: dict[str, object] = {} if each.distance is None else {"distance": each.distance}
    tail |= _flags(each)
    return _long(each, head, each.spectra, {name: getattr(each, name) for name in BANDS}, tail)


def _flags(each: SubsetPrediction) -> dict[str, list[bool | None]]:
    """Those of `FLAGS` that are known: for each site True or False, or None where that is not known."""
    return {name: values.tolist() for name in FLAGS if (values := getattr(each, name)) is not None}


def _average_rows(each: SubsetPrediction) -> pd.DataFrame:
    means = each.averages
    formulas = dict(zip(map(parent_of, each.material_id), each.formula, strict=True))
    formulas |= dict(zip(each.material_id, each.formula, strict=True))
    head = {
        "material_id": means.material_id,
        "site_index": [WHOLE_MATERIAL] * len(means.material_id),
        "formula": [formulas[name] for name in means.material_id],
        "multiplicity": means.n_atoms,
    }
    tail = {}
    for flag, values in _flags(each).items():
        of_sites: dict[str, set[bool | None]] = {}
        for name, value in zip(each.material_id, values, strict=True):
            for material in (name, parent_of(name)):
                of_sites.setdefault(material, set()).add(value)
        known = (of_sites[name] for name in means.material_id)
        tail[flag] = [True if True in found else None if None in found else False for found in known]
    return _long(each, head, means.spectra, {name: getattr(means, name) for name in BANDS}, tail)


def _long(
    each: SubsetPrediction,
    head: Mapping[str, Any],
    spectra: np.ndarray,
    bands: dict[str, np.ndarray | None],
    tail: Mapping[str, object],
) -> pd.DataFrame:
    import pandas as pd

    n, m = spectra.shape
    columns: dict[str, object] = {"subset": np.repeat(each.subset, n * m)}
    columns |= {name: np.repeat(np.asarray(values), m) for name, values in head.items()}
    columns["energy_eV"] = np.concatenate([each.energies_of(material) for material in head["material_id"]])
    columns["cross_section"] = spectra.ravel()
    for name, ends in bands.items():
        if ends is not None:
            level = name.removeprefix("band_")
            columns[f"lower_{level}"], columns[f"upper_{level}"] = ends[0].ravel(), ends[1].ravel()
    columns |= {name: np.repeat(np.asarray(values), m) for name, values in tail.items()}
    return pd.DataFrame(columns)


def _write_subset(group: h5py.Group, each: SubsetPrediction) -> None:
    group.attrs.update({"model": each.model, "features": each.features, "uncalibrated": each.uncalibrated})
    if each.limit is not None:
        group.attrs["distance_limit"] = each.limit
    text = h5py.string_dtype()
    group.create_dataset("seeds", data=np.array(each.seeds, dtype=np.int64))
    for name in ("material_id", "formula"):
        group.create_dataset(name, data=getattr(each, name), dtype=text)
    for name in ("site_index", "multiplicity"):
        group.create_dataset(name, data=getattr(each, name))
    write_numbers(group, "energy", each.energy_ev, "eV")
    write_numbers(group, "spectra", each.spectra, "bohr^2")
    for name in OPTIONAL:
        if (values := getattr(each, name)) is not None:
            write_numbers(group, name, values, "1" if name == "distance" else "bohr^2")
    for name in FLAGS:
        if (values := getattr(each, name)) is not None:
            group.create_dataset(name, data=np.asarray(values))
    if each.shift_ev:
        write_numbers(group, "shift", np.array([each.shift_ev[name] for name in each.material_id]), "eV")
    means = group.create_group("averages")
    means.create_dataset("material_id", data=each.averages.material_id, dtype=text)
    means.create_dataset("n_sites", data=each.averages.n_sites)
    means.create_dataset("n_atoms", data=each.averages.n_atoms)
    write_numbers(means, "spectra", each.averages.spectra, "bohr^2")
    if each.shift_ev:
        write_numbers(means, "shift", np.array([each.shift_ev[name] for name in each.averages.material_id]), "eV")
    for name in BANDS:
        if (values := getattr(each.averages, name)) is not None:
            write_numbers(means, name, values, "bohr^2")
