"""Read a dataset file in Python: `xanesflow.load(path)`. Arrays are read from disk when you index them.

with xanesflow.load("results/dataset/cu_archive.h5") as data:
    cu = data["Cu_FEFF"]
    cu.spectra[0]                    # one spectrum, (141,) bohr²
    cu["mp-1005792_008"].structure() # pymatgen's
    train = cu.part("train")         # a view, as are cu[10:20] and cu[mask]
    train.spectra[:], train.features("m3gnet")[:]
    train.torch("m3gnet"), train.pandas()
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from xanesflow.core.arrays import read_array
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import BadArrayError, XanesflowError
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import PARTS, Subset, parse_site_id, site_id
from xanesflow.core.tables import read_rejected_group
from xanesflow.core.text import plural, quoted
from xanesflow.dataset.check_form import check_form
from xanesflow.dataset.file import about_material, attributes_of, open_dataset, structure_json, subset_names
from xanesflow.dataset.lazy_rows import Array

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from pymatgen.core import Structure

Rows = NDArray[np.intp]


def load(path: str | Path) -> DatasetFile:
    """Open a dataset file, `results/dataset/<campaign>.h5`. No array is read yet.

    Raises:
        XanesflowError: the file is missing, truncated, not HDF5, not a dataset of xanesflow, or of another schema
            version.
    """
    return DatasetFile(path)


class DatasetFile:
    """An open dataset file: its subsets by name, and its attributes. Use it in a `with` block.

    Args:
        path: the file.

    Attributes:
        path: the file.
        subsets: names of the subsets.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = open_dataset(path)
        self.subsets: tuple[str, ...] = tuple(subset_names(self._file))
        self._checked: set[str] = set()

    def __getitem__(self, subset: str) -> SubsetView:
        if subset not in self.subsets:
            raise XanesflowError(
                f"{self.path} has no subset {subset}; it has {', '.join(self.subsets) or 'none'}. Name one of these."
            )
        if subset not in self._checked:
            check_form(self.path, self.hdf5[subset], subset)
            self._checked.add(subset)
        return SubsetView(self, subset)

    def __iter__(self) -> Iterator[str]:
        return iter(self.subsets)

    def __len__(self) -> int:
        return len(self.subsets)

    def __contains__(self, subset: object) -> bool:
        return subset in self.subsets

    def __enter__(self) -> DatasetFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return load, (self.path,)  # each worker of a data loader opens the file itself

    def __repr__(self) -> str:
        return f"<xanesflow dataset {self.path}: {', '.join(self.subsets)}>"

    def close(self) -> None:
        """Close the file; arrays that were already read stay valid."""
        self._file.close()

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The root attributes: title, creator, licence, created, versions, config, ..."""
        return attributes_of(self.hdf5)

    @property
    def hdf5(self) -> h5py.File:
        """The open file.

        Raises:
            XanesflowError: the file was closed.
        """
        if not self._file:
            raise XanesflowError(f"{self.path} has been closed; read within the `with` block, or load it again.")
        return self._file


class SiteView:
    """One site of a subset.

    Attributes:
        id: its id, such as `mp-390_000`.
        row: its row among the subset's arrays in the file.
        material_id, site_index: its material, and the 0-based index of the absorber in the structure.
        multiplicity: number of symmetry-equivalent atoms that it represents.
        split: `train`, `val` or `test`.
        energy: (141,) eV.
        spectrum: (141,) bohr².
    """

    def __init__(
        self,
        subset: SubsetView,
        row: int,
        described: tuple[str, int, int, str],
        spectrum: NDArray[np.float64] | None = None,
    ) -> None:
        self._subset, self.row, self._spectrum = subset, row, spectrum
        self.material_id, self.site_index, self.multiplicity, self.split = described
        self.id = site_id(self.material_id, self.site_index)

    @property
    def energy(self) -> NDArray[np.float64]:
        """Absolute photon energies, (141,) eV."""
        return self._subset.energy

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """Absorption cross section, (141,) bohr²."""
        return self._subset.data("spectra")[self.row] if self._spectrum is None else self._spectrum

    def features(self, name: str | None = None) -> NDArray[np.float32]:
        """Features of the absorber; see `SubsetView.features`."""
        paths = self._subset.feature_paths(name)
        return np.concatenate([self._subset.data(path)[self.row] for path in paths])

    def structure(self) -> Structure:
        """The structure to which `site_index` refers."""
        return self._subset.structure_of(self.material_id)

    def __repr__(self) -> str:
        return f"<site {self.id} of {self._subset.name}, {self.split}>"


def _column(name: str, *, optional: bool = False) -> Any:
    """An array of a subset, for the sites that a view shows; empty texts if it is optional and missing."""
    return cached_property(
        lambda view: np.full(len(view), "") if optional and name not in view.hdf5 else view.read(name)[view.rows]
    )


class SubsetView:
    """All or some sites of a subset: one element at one level of theory, such as `Cu_FEFF`.

    Index it with a row number or an id such as `mp-390_000` to get a `SiteView`, or with a slice, list or mask to get a
    view of some sites.

    Attributes:
        name: such as `Cu_FEFF`.
        element, theory: the two halves of the name.
        rows: row numbers in the file.
        material_id, site_index: (n,) material of each site, and the 0-based index of its absorber in the structure.
        multiplicity: (n,) number of symmetry-equivalent atoms that each site represents.
        split: (n,) part of each site: train, val or test.
        corrections, settings: (n,) what was changed in a run's inputs until it succeeded, and which physics settings
            differ from `attributes["settings"]`, those of most runs; empty: nothing, none.
    """

    def __init__(self, dataset: DatasetFile, name: str, rows: Rows | None = None) -> None:
        self._dataset, self.name = dataset, name
        parsed = Subset.parse(name)
        self.element, self.theory = parsed.element, parsed.theory
        self.rows: Rows = np.arange(len(self.data("site_index"))) if rows is None else rows

    @property
    def hdf5(self) -> h5py.Group:
        """The open HDF5 group."""
        return self._dataset.hdf5[self.name]

    def data(self, path: str) -> h5py.Dataset:
        """An HDF5 dataset of the subset.

        Raises:
            XanesflowError: the subset has none at this path.
        """
        found = self.hdf5.get(path)
        if not isinstance(found, h5py.Dataset):
            raise XanesflowError(
                f"{self._dataset.path} has no {path} of {self.name}; see `xanesflow dataset validate`."
            )
        return found

    def read(self, name: str) -> NDArray[Any]:
        """Read an array of the whole subset, whichever sites this view shows.

        Raises:
            XanesflowError: it is missing.
        """
        self.data(name)
        return read_array(self.hdf5, name)

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the spectra: units, energy reference, broadening, normalisation."""
        return attributes_of(self.data("spectra"))

    @cached_property
    def energy(self) -> NDArray[np.float64]:
        """Absolute photon energies, (141,) eV."""
        return self.read("energy")

    @property
    def spectra(self) -> Array:
        """Absorption cross sections, (n, 141) bohr², read when indexed."""
        return Array(self, ["spectra"])

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the featurizers whose features the file holds."""
        return tuple(self.hdf5.get("features", ()))

    def features(self, name: str | None = None) -> Array:
        """Features, (n, d) float32, read when indexed.

        Args:
            name: a featurizer, or several joined by `+`, such as `m3gnet_all+chgnet`. You can leave it out if the file
                has only one.

        Raises:
            XanesflowError: the file has no such features, or it has several and you named none.
        """
        return Array(self, self.feature_paths(name))

    def feature_paths(self, name: str | None) -> list[str]:
        """Paths of the features within the subset's group; see `features`."""
        known = self.feature_names
        if name is None and len(known) != 1:
            raise XanesflowError(f"{self.name} has features of {', '.join(known) or 'none'}; say which you want.")
        names = name.split("+") if name is not None else list(known)
        for each in names:
            if each not in known:
                raise XanesflowError(
                    f"{self.name} in {self._dataset.path} has no features {quoted(each)}; it has "
                    f"{', '.join(known) or 'none'}. Name one of these, or add yours to `features.models`."
                )
        return [f"features/{each}" for each in names]

    material_id: NDArray[np.str_] = _column("material_id")
    site_index: NDArray[np.int64] = _column("site_index")
    multiplicity: NDArray[np.int64] = _column("multiplicity")
    split: NDArray[np.str_] = _column("split")
    corrections: NDArray[np.str_] = _column("corrections", optional=True)
    settings: NDArray[np.str_] = _column("settings", optional=True)

    @cached_property
    def ids(self) -> list[str]:
        """Id of each site, such as `mp-390_000`."""
        return [site_id(m, int(i)) for m, i in zip(self.material_id, self.site_index, strict=True)]

    def part(self, part: str) -> SubsetView:
        """The sites of one part of the split: train, val or test.

        Raises:
            XanesflowError: the name is not one of these.
        """
        if part not in PARTS:
            raise XanesflowError(f"'{part}' is no part of a split; it is one of {', '.join(PARTS)}.")
        return SubsetView(self._dataset, self.name, self.rows[self.split == part])

    def rejected(self) -> list[Rejected]:
        """Every site that was left out of the subset, with its reason.

        Raises:
            XanesflowError: the table holds an unknown reason, or lacks a column.
        """
        try:
            return read_rejected_group(self.hdf5)
        except (ValueError, BadArrayError) as error:
            raise XanesflowError(
                f"The rejected table of {self.name} in {self._dataset.path}: {error}; see `xanesflow dataset validate`."
            ) from None

    def structure(self, index: int | str) -> Structure:
        """The structure of a site, given by row or id; its site index refers to this structure."""
        return self[index].structure()

    def structure_of(self, material_id: str) -> Structure:
        """The structure of a material.

        Raises:
            XanesflowError: the file has no such structure, or it cannot be read.
        """
        from pymatgen.core import Structure  # the import takes seconds

        text = structure_json(self._dataset.hdf5, self.name, material_id)
        sentence = f"The structure of {material_id} in {self._dataset.path} cannot be read ({{why}}); see "
        with explain_damage(sentence + "`xanesflow dataset validate`."):
            return Structure.from_dict(parse_object(text))

    def about(self, material_id: str) -> dict[str, str]:
        """What is known of a material's structure: `name`, `reference` and, of a cell, `parent`, as far as known."""
        return about_material(self._dataset.hdf5, self.name, material_id)

    def torch(self, features: str | None = None) -> torch.utils.data.TensorDataset:
        """Features and spectra, row by row, as float32 tensors in memory, for a DataLoader.

        Args:
            features: see `features`.
        """
        import torch

        arrays = (self.features(features)[:], self.spectra[:])
        return torch.utils.data.TensorDataset(*(torch.from_numpy(each.astype(np.float32)) for each in arrays))

    def pandas(self, *, spectra: bool = False, features: str | None = None) -> pd.DataFrame:
        """A table with one row for each site, indexed by site id.

        Args:
            spectra: whether to add one column for each energy, named by the energy in eV.
            features: features to add, one column for each number, named `<featurizers>_<number>`.
        """
        import pandas as pd

        columns = ("material_id", "site_index", "multiplicity", "split", "corrections", "settings")
        index = pd.Index(self.ids, name="site_id")
        parts = [pd.DataFrame({name: getattr(self, name) for name in columns}, index=index)]
        if spectra:
            parts.append(pd.DataFrame(self.spectra[:], index=index, columns=[f"{e:.3f}" for e in self.energy]))
        if features is not None:
            values = self.features(features)[:]
            names = [f"{features}_{k}" for k in range(values.shape[1])]
            parts.append(pd.DataFrame(values, index=index, columns=names))
        return pd.concat(parts, axis=1)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            return self._site_of(index)
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"{self.name} has {plural(len(self), 'site')} here, but no row {index}.")
            return self._site(int(self.rows[index]))
        return SubsetView(self._dataset, self.name, self.rows[index])

    def _site_of(self, name: str) -> SiteView:
        material_id, site_index = parse_site_id(name)
        found = np.flatnonzero((self.material_id == material_id) & (self.site_index == site_index))
        if not len(found):
            raise XanesflowError(f"{self.name} has no site {name} among {plural(len(self), 'site')} here; see `ids`.")
        return self._site(int(self.rows[found[0]]))

    def _site(self, row: int) -> SiteView:
        material_id, split = (str(self.data(name).asstr()[row]) for name in ("material_id", "split"))
        site_index, multiplicity = (int(self.data(name)[row]) for name in ("site_index", "multiplicity"))
        return SiteView(self, row, (material_id, site_index, multiplicity, split))

    def __iter__(self) -> Iterator[SiteView]:
        columns = (self.material_id, self.site_index, self.multiplicity, self.split)
        described = zip(*(column.tolist() for column in columns), strict=True)
        for row, each, spectrum in zip(self.rows.tolist(), described, self.spectra, strict=True):
            yield SiteView(self, row, each, spectrum)

    def __repr__(self) -> str:
        return f"<{self.name} of {self._dataset.path.name}: {plural(len(self), 'site')}>"
