"""The file that holds predicted spectra beside the simulated ones; reading it needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from xanesflow.errors import XanesflowError
from xanesflow.files import atomic_path
from xanesflow.sites import Subset

SCHEMA = "xanesflow predictions 1"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a prediction file holds; all spectra in bohr².

    Attributes:
        model: kind of the model, `expert`, `universal` or `tuned`, or a baseline's name.
        features: as `m3gnet`.
        subset: as `Cu_FEFF`.
        part: `test` or `val`.
        n_train: spectra of this subset that the model was trained on, as many as the baseline is the mean of; a
            universal model saw those of other subsets too.
        seeds: (k,) of the models.
        ids: n names of sites, as `mp-390_000`; none if the part is empty.
        energy_ev: (141,) absolute energies in eV.
        spectra: (n, 141) simulated.
        predictions: (n, 141) mean over the seeds.
        by_seed: (k, n, 141).
        baseline: (141,) mean training spectrum of the subset; NaN if it has none.
    """

    model: str
    features: str
    subset: str
    part: str
    n_train: int
    seeds: list[int]
    ids: list[str]
    energy_ev: npt.NDArray[np.float64]
    spectra: npt.NDArray[np.float64]
    predictions: npt.NDArray[np.float64]
    by_seed: npt.NDArray[np.float64]
    baseline: npt.NDArray[np.float64]


def write_predictions(output: str | Path, result: Predictions, made: dict[str, str]) -> None:
    """Write predictions, whole or not at all.

    Args:
        output: the HDF5 file.
        result: what it holds.
        made: attributes that tell of its making (`xanesflow.provenance`).
    """
    subset = Subset.parse(result.subset)
    with atomic_path(output) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(
            {
                "schema": SCHEMA,
                "model": result.model,
                "features": result.features,
                "subset": result.subset,
                "element": subset.element,
                "theory": subset.theory,
                "part": result.part,
                "n_train": result.n_train,
                **made,
            }
        )
        file.create_dataset("ids", data=result.ids, dtype=h5py.string_dtype())
        file["seeds"] = np.array(result.seeds, dtype=np.int64)
        file["energy"] = result.energy_ev
        file["energy"].attrs["units"] = "eV"
        for name, values in {
            "spectra": result.spectra,
            "predictions": result.predictions,
            "predictions_by_seed": result.by_seed,
            "baseline": result.baseline,
        }.items():
            file.create_dataset(name, data=values, compression="gzip" if values.ndim > 1 else None)
            file[name].attrs["units"] = "bohr^2"


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        XanesflowError: the file cannot be read or is no prediction file.
    """
    try:
        with h5py.File(path, "r") as file:
            attributes = file.attrs
            if attributes.get("schema") != SCHEMA:
                raise KeyError(f"its schema is {attributes.get('schema')!r}, wanted '{SCHEMA}'")
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
            )
    except (OSError, KeyError) as error:
        raise XanesflowError(
            f"{path} is not a prediction file of xanesflow ({error.args[0] if error.args else error}); delete it "
            "and run snakemake evaluation."
        ) from None
