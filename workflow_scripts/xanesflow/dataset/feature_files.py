"""Read files with features and spectra that were computed elsewhere: NumPy's `.npz`, or a dataset of xanesflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.config.campaign import Campaign
from xanesflow.core.arrays import type_of
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import KNOWN, UNKNOWN_WEIGHTS
from xanesflow.core.npz import open_npz
from xanesflow.core.reasons import Rejected
from xanesflow.dataset.file import about_material, report_damage, structure_json, structure_key
from xanesflow.dataset.read_dataset import load

NPZ, HDF5 = (".npz",), (".h5", ".hdf5")

DESCRIBED = ("energy_reference", "broadening", "settings", "processing")
"""Attributes of a dataset's spectra that go with them."""


@dataclass(frozen=True, eq=False)
class GivenData:
    """One subset as its file holds it. Only lengths and types of the arrays have been checked.

    Attributes:
        ids: n site ids; well-formed ones look like `mp-390_000`.
        spectra: (n, m) in bohr².
        features: (n, d) by featurizer.
        featurizers: `meaning` and `weights_hash` of each featurizer.
        energy_ev: (m,) absolute energies, if the file has them.
        multiplicity: (n,), if the file has it.
        corrections, settings: (n,) as in `spectra.store.CuratedSpectra`, or ().
        structures: pymatgen's JSON by material id; npz files have none.
        about: what is known of a structure besides (`dataset.file.ABOUT`), by material id.
        rejected: the sites that the dataset's makers left out; npz files have none.
        described: how the file describes its spectra: values by attribute of the dataset.
    """

    ids: Sequence[str]
    spectra: NDArray[np.float64]
    features: Mapping[str, NDArray[np.float32]]
    featurizers: Mapping[str, Mapping[str, str]]
    energy_ev: NDArray[np.float64] | None = None
    multiplicity: NDArray[np.int64] | None = None
    corrections: Sequence[str] = ()
    settings: Sequence[str] = ()
    structures: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rejected: Sequence[Rejected] = ()
    described: Mapping[str, str] = field(default_factory=dict)


def check_feature_files(campaign: Campaign) -> None:
    """Check all files that `dataset.files` names before anything runs; see `check_feature_file`."""
    paths = [campaign.features_file(name) for name in campaign.subsets]
    for name, path in zip(campaign.subsets, paths, strict=True):
        check_feature_file(path, name, alone=paths.count(path) == 1)


def check_feature_file(path: str | Path, subset: str, *, alone: bool) -> None:
    """Check, before anything runs, that the file of a subset exists and has a format that can be read.

    Args:
        path: the file.
        subset: such as `Cu_FEFF`.
        alone: whether no other subset is read from this file.

    Raises:
        XanesflowError: the file is missing, has an unknown suffix, or is an npz file named for several subsets.
    """
    path = Path(path)
    if not path.is_file():
        raise XanesflowError(
            f"{path} does not exist or is no file (looked from {Path.cwd()}); dataset.files must name the file with "
            f"features and spectra of {subset}."
        )
    if path.suffix not in NPZ + HDF5:
        raise XanesflowError(
            f"{path} is not a file of features that can be read; dataset.files takes {', '.join(NPZ + HDF5)} (arrays "
            "of NumPy, or a dataset of xanesflow)."
        )
    if path.suffix in NPZ and not alone:
        raise XanesflowError(
            f"{path} is named for {subset} and for another subset, but an npz file holds only one; name one file for "
            "each subset, or write {subset} in its place in the path."
        )


def read_feature_file(path: str | Path, subset: str, featurizers: Sequence[str]) -> GivenData:
    """Read a subset's features and spectra.

    An npz file holds `ids` (n,) text, `spectra` (n, 141) in bohr², and `features` (n, d) or, for several featurizers,
    `features_<featurizer>`. It may also hold `energy` (141,) in eV, `multiplicity` (n,) and the text `weights_hash`
    (or `weights_hash_<featurizer>`). Arrays of Python objects are refused, since unpickling them could run any code.

    Args:
        path: .npz, or .h5 of a dataset of xanesflow.
        subset: such as `Cu_FEFF`.
        featurizers: the featurizers to read, one by one (no joined names).

    Raises:
        XanesflowError: the file is damaged or lacks an array, or its arrays do not fit each other.
    """
    path = Path(path)
    given = _read_hdf5(path, subset, featurizers) if path.suffix in HDF5 else _read_npz(path, featurizers)
    _check_shapes(path, subset, given)
    return given


def _read_npz(path: Path, featurizers: Sequence[str]) -> GivenData:
    sentence = f"{path} cannot be read as an npz file ({{why}}); write it again with np.savez."
    with explain_damage(sentence), open_npz(path) as opened:
        stored = _Stored(path, opened)
        return GivenData(
            ids=stored.array("ids", "material_id").tolist(),
            spectra=stored.array("spectra"),
            features={name: stored.array(stored.name_of(name, featurizers), "features") for name in featurizers},
            featurizers={
                name: {
                    "meaning": f"{KNOWN.get(name, name)}; computed elsewhere, taken from a file",
                    "weights_hash": stored.one_text(f"weights_hash_{name}", stored.one_text("weights_hash")),
                }
                for name in featurizers
            },
            energy_ev=stored.array("energy") if "energy" in opened else None,
            multiplicity=stored.array("multiplicity") if "multiplicity" in opened else None,
        )


@dataclass(frozen=True)
class _Stored:
    """Arrays of an npz file; an array that is missing or of the wrong type raises an error that says so."""

    path: Path
    file: Any

    def name_of(self, featurizer: str, featurizers: Sequence[str]) -> str:
        own = f"features_{featurizer}"
        return "features" if own not in self.file and len(featurizers) == 1 else own

    def array(self, name: str, like: str | None = None) -> NDArray[Any]:
        """An array of the type that the table gives for `like`, or else for its own name."""
        if name not in self.file:
            raise XanesflowError(
                f"{self.path} has no array {name} (it has {', '.join(self.file) or 'none'}); it needs ids, spectra "
                "and features, or features_<featurizer> for each of several featurizers."
            )
        try:
            values = np.asarray(self.file[name])
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise
            raise XanesflowError(
                f"The array {name} of {self.path} holds Python objects, which are not read because they can run code; "
                "store it as plain numbers or text, such as np.array(ids, dtype=str)."
            ) from None
        kind = type_of(like or name).kind
        if values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8", "replace")
        known = {"text": "U", "int64": "iu"}.get(kind, "fiu")
        if values.dtype.kind not in known or (kind == "text" and values.ndim != 1):
            wanted = {"text": "be (n,) text, one for each site", "int64": "hold whole numbers"}
            given = f"{values.dtype} {values.shape}" if kind == "text" else values.dtype
            raise XanesflowError(
                f"The array {name} of {self.path} is {given}; it must {wanted.get(kind, 'hold real numbers')}."
            )
        return values if kind == "text" else values.astype(kind)

    def one_text(self, name: str, otherwise: str = UNKNOWN_WEIGHTS) -> str:
        return str(self.file[name].item()) if name in self.file and self.file[name].size == 1 else otherwise


def _read_hdf5(path: Path, subset: str, featurizers: Sequence[str]) -> GivenData:
    with load(path) as data, report_damage(path):
        view, said = data[subset], data[subset].attributes
        features = {name: view.data(*view.feature_paths(name)) for name in featurizers}
        structures = {
            material: structure_json(data.hdf5, subset, material)
            for material in set(view.material_id.tolist())
            if structure_key(data.hdf5, subset, material)
        }
        return GivenData(
            ids=view.ids,
            spectra=view.read("spectra"),
            features={name: view.read(f"features/{name}") for name in featurizers},
            featurizers={
                name: {key: str(each.attrs[key]) for key in ("meaning", "weights_hash")}
                for name, each in features.items()
            },
            energy_ev=view.energy,
            multiplicity=view.multiplicity,
            corrections=view.corrections.tolist(),
            settings=view.settings.tolist() if any(view.settings) else (),
            structures=structures,
            about={material: about_material(data.hdf5, subset, material) for material in structures},
            rejected=view.rejected(),
            described={key: str(said[key]) for key in DESCRIBED if key in said}
            | {"multiplicity": str(view.data("multiplicity").attrs.get("meaning", ""))},
        )


def _check_shapes(path: Path, subset: str, given: GivenData) -> None:
    n = len(given.ids)
    if not n:
        raise XanesflowError(f"{path} holds no site of {subset}; name a file with spectra.")
    columns: dict[str, Any] = {
        "multiplicity": given.multiplicity,
        "corrections": given.corrections or None,
        "settings": given.settings or None,
    }
    tables = {"spectra": given.spectra, **{f"{name} features": values for name, values in given.features.items()}}
    for name, values in (columns | tables).items():
        shape = np.shape(values) if values is not None else (n,)
        if len(shape) != 1 + (name in tables) or shape[0] != n or not shape[-1]:
            raise XanesflowError(
                f"{path} has {n} ids of {subset}, but its {name} {'have' if name in tables else 'has'} the shape "
                f"{shape}; {'one row' if name in tables else 'one value'} is needed for each id."
            )
    if given.multiplicity is not None and given.multiplicity.min() < 1:
        raise XanesflowError(
            f"{path} has a multiplicity of {given.multiplicity.min()} in {subset}; each must be 1 or more."
        )
