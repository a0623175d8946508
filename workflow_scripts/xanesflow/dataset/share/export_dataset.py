"""Export a dataset as plain NumPy files or CSV, for programs that cannot read HDF5."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import new_folder
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.sites import MATERIAL_ID, Subset
from xanesflow.core.tables import REJECTED_COLUMNS
from xanesflow.core.text import quoted
from xanesflow.dataset.file import STRUCTURES, names_in, text_of
from xanesflow.dataset.read_dataset import DatasetFile, SubsetView, load
from xanesflow.measured.write_athena import CROSS_SECTION, athena_text

Layout = Literal["npy", "npz", "csv", "athena"]

ARRAYS = """  energy            (m,) eV, absolute
  spectra           (n, m) absorption cross section in bohr^2
  site_id           (n,) text, <material id>_<site index>
  material_id, site_index, multiplicity, split, corrections   (n,)
  settings          (n,) only if physics settings differ between runs
  features_<name>   (n, d) float32"""

README = {
    "npy": f"""<subset>/<array>.npy, which numpy.load reads without pickles:
{ARRAYS}
<subset>/rejected.csv   sites that were left out, with their reason
""",
    "npz": f"""<subset>.npz, which numpy.load reads without pickles, with the arrays
{ARRAYS}
<subset>_rejected.csv   sites that were left out, with their reason
""",
    "csv": """<subset>/sites.csv       site_id, material_id, site_index, multiplicity, split, corrections, settings
<subset>/spectra.csv     site_id, and a column for each absolute energy in eV; absorption cross section in bohr^2
<subset>/features_<name>.csv   site_id, and a column for each number
<subset>/rejected.csv    sites that were left out, with their reason
All numbers have enough digits to restore them exactly.
""",
    "athena": """<subset>/<site id>.dat   two columns, which Athena, Larch and xanesflow measured read: energy in eV,
                         absolute, and absorption cross section in bohr^2
<subset>/rejected.csv    sites that were left out, with their reason
""",
}

COMMON = """structures.jsonl   one structure on each line: name (<material id> or <material id>@<subset>) and
                   pymatgen's dictionary
dataset.json       the attributes of the dataset: title, licence, versions, configuration, ...

The rows of all arrays of a subset are the same sites in the same order. site_index is the index of the atom in the
structure, from 0. The structure of a site is <material id>@<subset> if there is one, else <material id>.
"""


NORMALISED_EV = 10.0
"""A normalised spectrum has a mean of 1 over so many eV at its end. Before the edge it has no background."""

NORMALISED = f"Each spectrum is normalised: divided by its mean over its last {NORMALISED_EV:g} eV, without a unit.\n"


def export_dataset(
    path: str | Path, out: str | Path, *, layout: Layout, subsets: list[str] | None = None, normalised: bool = False
) -> int:
    """Write a dataset as a folder of plain files.

    Args:
        path: the dataset.
        out: the folder; it appears once everything is written.
        layout: `npy`, `npz`, `csv` or `athena`; the README.txt in the folder explains the files.
        subsets: export only these; None for all.
        normalised: whether to divide each spectrum by its mean over its last `NORMALISED_EV`.

    Returns:
        The number of files.

    Raises:
        XanesflowError: the file is no dataset, a subset is missing, or the folder already exists.
    """
    with load(path) as data, new_folder(out) as folder:
        chosen = [data[name] for name in subsets or data.subsets]
        about = {key: data.attributes[key] for key in sorted(data.attributes)}
        for subset in chosen:
            if layout == "athena":
                _write_athena(folder, subset, str(about.get("title", "")), normalised=normalised)
            else:
                _write_subset(folder, subset, layout, normalised=normalised)
        _write_structures(folder / "structures.jsonl", data, {subset.name for subset in chosen})
        (folder / "dataset.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        (folder / "README.txt").write_text(
            f"{about.get('title', '')}\n\n{README[layout]}{NORMALISED if normalised else ''}{COMMON}", encoding="utf-8"
        )
        return sum(each.is_file() for each in folder.rglob("*"))


def _spectra(subset: SubsetView, *, normalised: bool) -> NDArray[np.float64]:
    """The spectra (n, 141), in bohr² or normalised."""
    spectra = subset.spectra[:]
    if not normalised:
        return spectra
    last = subset.energy > subset.energy[-1] - NORMALISED_EV
    return np.asarray(spectra / spectra[:, last].mean(axis=1, keepdims=True))


def _write_subset(folder: Path, subset: SubsetView, layout: Layout, *, normalised: bool) -> None:
    name = subset.name
    rejected = _rejected(subset)
    if layout == "npz":
        np.savez(folder / f"{name}.npz", allow_pickle=False, **_arrays(subset, normalised=normalised))
        rejected.to_csv(folder / f"{name}_rejected.csv", index=False)
        return
    (folder / name).mkdir()
    rejected.to_csv(folder / name / "rejected.csv", index=False)
    if layout == "npy":
        for array, values in _arrays(subset, normalised=normalised).items():
            np.save(folder / name / f"{array}.npy", values, allow_pickle=False)
        return
    index = pd.Index(subset.ids, name="site_id")
    subset.pandas().to_csv(folder / name / "sites.csv")
    energies = [repr(energy) for energy in subset.energy.tolist()]
    pd.DataFrame(_spectra(subset, normalised=normalised), index=index, columns=energies).to_csv(
        folder / name / "spectra.csv"
    )
    for featurizer in subset.feature_names:
        values = subset.features(featurizer)[:]
        columns = [f"{featurizer}_{k}" for k in range(values.shape[1])]
        table = pd.DataFrame(values, index=index, columns=columns)
        table.to_csv(folder / name / f"features_{featurizer}.csv")


def _write_athena(folder: Path, subset: SubsetView, title: str, *, normalised: bool) -> None:
    """Write a file of two columns for each site, and what was left out."""
    (folder / subset.name).mkdir()
    element = Subset.parse(subset.name).element
    energy, spectra = subset.energy, _spectra(subset, normalised=normalised)
    unit = f"absorption, its mean over the last {NORMALISED_EV:g} eV is 1" if normalised else CROSS_SECTION
    for row, (site, material) in enumerate(zip(subset.ids, subset.material_id.tolist(), strict=True)):
        if not MATERIAL_ID.fullmatch(material):
            raise XanesflowError(
                f"The id {quoted(material)} in {subset.name} cannot name a file; export with --format npz instead."
            )
        about = [f"dataset: {title}", f"subset: {subset.name}", f"site: {site}"]
        text = athena_text(energy, spectra[row], element, about, unit=unit)
        (folder / subset.name / f"{site}.dat").write_text(text, encoding="utf-8")
    _rejected(subset).to_csv(folder / subset.name / "rejected.csv", index=False)


def _rejected(subset: SubsetView) -> pd.DataFrame:
    rows = [(r.material_id, r.site_index, r.reason, r.detail) for r in subset.rejected()]
    return pd.DataFrame(rows, columns=REJECTED_COLUMNS)


def _arrays(subset: SubsetView, *, normalised: bool) -> dict[str, NDArray[np.generic]]:
    return {
        "energy": subset.energy,
        "spectra": _spectra(subset, normalised=normalised),
        "site_id": np.asarray(subset.ids, dtype=np.str_),
        "material_id": subset.material_id,
        "site_index": subset.site_index,
        "multiplicity": subset.multiplicity,
        "split": subset.split,
        "corrections": subset.corrections,
        **({"settings": subset.settings} if any(subset.settings) else {}),
        **{f"features_{name}": subset.features(name)[:] for name in subset.feature_names},
    }


def _write_structures(path: Path, data: DatasetFile, subsets: set[str]) -> None:
    """Write the structures of the chosen subsets, one JSON object on each line."""
    wanted = {material for name in subsets for material in data[name].material_id.tolist()}
    group = data.hdf5[STRUCTURES]
    with path.open("w", encoding="utf-8") as file:
        for name in names_in(group):
            material, _, subset = name.partition("@")
            if material in wanted and (not subset or subset in subsets):
                line = {"name": name, "structure": parse_object(text_of(group, name))}
                file.write(json.dumps(line, sort_keys=True) + "\n")
