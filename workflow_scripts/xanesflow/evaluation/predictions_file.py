"""The file that holds predicted and simulated spectra; reading it needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from xanesflow.core.files import atomic_path
from xanesflow.core.hdf5 import check_schema, read_hdf5, write_numbers
from xanesflow.core.sites import Subset

SCHEMA = "xanesflow predictions 1"


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Error bars of predictions; all but `fitted`, `distance` and `confidence` in bohr².

    Attributes:
        fitted: `val`: calibrated on the validation part. `cross-fitted`: the part is the validation part itself, so
            each fold was calibrated on the other folds.
        n_spectra: number of spectra that the calibration was fitted to; in a cross-fit the smallest number.
        n_materials: number of their materials.
        distance: (n,) to the nearest training site, see `xanesflow.evaluation.error_bars.distance`.
        sigma: (n, 141) expected error.
        band_68: (2, n, 141) lower and upper ends of the bands that should hold 68 % of the points.
        band_95: (2, n, 141) the same for 95 %.
        confidence: (n, 141) level of the narrowest band that holds the simulated value, 0.01 to 0.99; 1 if none does.
        error: (n,) expected error of the whole spectrum, root mean square over its energies.
        error_95: (n,) bound that this error should stay below for 95 % of the spectra.
    """

    fitted: str
    n_spectra: int
    n_materials: int
    distance: npt.NDArray[np.float64]
    sigma: npt.NDArray[np.float64]
    band_68: npt.NDArray[np.float64]
    band_95: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    error_95: npt.NDArray[np.float64]


_ARRAYS = tuple(entry.name for entry in fields(Uncertainty))[3:]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a prediction file holds; all spectra in bohr²."""

    model: str  # kind of the model, `expert`, `universal` or `tuned`, or a simple model's name
    features: str  # such as `m3gnet`
    subset: str  # such as `Cu_FEFF`
    part: str  # `test` or `val`
    # training spectra of this subset, whose mean is the baseline; a universal model saw those of other subsets too
    n_train: int
    seeds: list[int]  # k seeds of the model
    ids: list[str]  # n names of sites, such as `mp-390_000`; none if the part is empty
    energy_ev: npt.NDArray[np.float64]  # (141,) absolute energies in eV
    spectra: npt.NDArray[np.float64]  # (n, 141) simulated
    predictions: npt.NDArray[np.float64]  # (n, 141) mean over the seeds
    by_seed: npt.NDArray[np.float64]  # (k, n, 141) predicted by each seed
    baseline: npt.NDArray[np.float64]  # (141,) mean training spectrum of the subset; NaN if it has none
    uncertainty: Uncertainty | None = field(default=None)  # error bars; None if there are none
    uncalibrated: str = field(default="")  # why there are none, in a sentence; empty if there are
    unlike_paper: str = field(default="")  # how it was trained otherwise than the paper's (`table_one.unlike_paper`)

    @property
    def about(self) -> dict[str, str]:
        """Model, features, element, theory and part, as the tables of figures call them."""
        subset = Subset.parse(self.subset)
        of_model = {"model": self.model, "features": self.features}
        return {**of_model, "element": subset.element, "theory": subset.theory, "part": self.part}


def write_predictions(output: str | Path, result: Predictions, made: dict[str, str]) -> None:
    """Write predictions, whole or not at all.

    Args:
        output: the HDF5 file.
        result: what it holds.
        made: attributes on how it was made (`xanesflow.core.provenance`).
    """
    with atomic_path(output) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(
            {
                "schema": SCHEMA,
                **result.about,
                "subset": result.subset,
                "n_train": result.n_train,
                "uncalibrated": result.uncalibrated,
                "unlike_paper": result.unlike_paper,
                **made,
            }
        )
        file.create_dataset("ids", data=result.ids, dtype=h5py.string_dtype())
        file["seeds"] = np.array(result.seeds, dtype=np.int64)
        write_numbers(file, "energy", result.energy_ev, "eV")
        for name, values in {
            "spectra": result.spectra,
            "predictions": result.predictions,
            "predictions_by_seed": result.by_seed,
            "baseline": result.baseline,
        }.items():
            write_numbers(file, name, values, "bohr^2")
        if result.uncertainty is not None:
            _write_uncertainty(file.create_group("uncertainty"), result.uncertainty)


def _write_uncertainty(group: h5py.Group, bars: Uncertainty) -> None:
    group.attrs.update({"fitted": bars.fitted, "n_spectra": bars.n_spectra, "n_materials": bars.n_materials})
    for name in _ARRAYS:
        write_numbers(group, name, getattr(bars, name), "1" if name in ("distance", "confidence") else "bohr^2")


def _read_uncertainty(group: h5py.Group) -> Uncertainty:
    attributes = group.attrs
    return Uncertainty(
        str(attributes["fitted"]),
        int(attributes["n_spectra"]),
        int(attributes["n_materials"]),
        *(group[name][:] for name in _ARRAYS),
    )


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        XanesflowError: the file cannot be read or is not a prediction file.
    """
    sentence = f"{path} is not a prediction file of xanesflow ({{why}}); delete it and run snakemake evaluation."
    with read_hdf5(path, sentence) as file:
        check_schema(file, SCHEMA)
        attributes = file.attrs
        return Predictions(
            model=str(attributes["model"]),
            features=str(attributes["features"]),
            subset=str(attributes["subset"]),
            part=str(attributes["part"]),
            n_train=int(attributes["n_train"]),
            seeds=[int(seed) for seed in file["seeds"][:]],
            ids=list(file["ids"].asstr()[:]),
            energy_ev=file["energy"][:],
            spectra=file["spectra"][:],
            predictions=file["predictions"][:],
            by_seed=file["predictions_by_seed"][:],
            baseline=file["baseline"][:],
            uncertainty=_read_uncertainty(file["uncertainty"]) if "uncertainty" in file else None,
            uncalibrated=str(attributes.get("uncalibrated", "")),
            unlike_paper=str(attributes.get("unlike_paper", "")),
        )
