"""The file of curated spectra: `results/spectra/<subset>.h5`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from xanesflow.core.energy_grid import Array
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import atomic_path
from xanesflow.core.hdf5 import open_hdf5
from xanesflow.core.reasons import Rejected
from xanesflow.core.tables import STRING, read_rejected_group, write_rejected_group
from xanesflow.spectra.rejected_examples import RejectedExample, read_examples, write_examples


@dataclass(frozen=True)
class CuratedSpectra:
    """The good spectra of a subset, and all that was left out.

    Attributes:
        subset: such as `Cu_FEFF`.
        energy_ev: (141,) absolute energies.
        spectra: (n, 141) absorption cross section in bohr².
        material_id: (n,) str.
        site_index: (n,) 0-based index of the absorber into the structure.
        multiplicity: (n,) symmetry-equivalent atoms that the site stands for.
        rejected: every site that was left out, with its reason.
        corrections: (n,) what was changed in a run's inputs before it succeeded; empty: nothing; (): in no run.
        described: what is known about the spectra, by attribute of the dataset (`multiplicity`: about that array). For
            spectra from a file, what that file says; for spectra of runs, their physics `settings`, if these are known.
        examples: some of the spectra that were left out.
        envelope: (2, 141) lowest and highest cross section that the σ envelope allows, bohr²; None: no envelope.
    """

    subset: str
    energy_ev: Array
    spectra: Array
    material_id: Sequence[str]
    site_index: NDArray[np.int64]
    multiplicity: NDArray[np.int64]
    rejected: Sequence[Rejected]
    corrections: Sequence[str] = ()
    described: Mapping[str, str] = field(default_factory=dict)
    examples: Sequence[RejectedExample] = ()
    envelope: Array | None = None


def write_spectra(path: str | Path, curated: CuratedSpectra, attributes: Mapping[str, str]) -> None:
    """Write curated spectra as HDF5, whole or not at all."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"subset": curated.subset, "described": json.dumps(dict(curated.described)), **attributes})
        file.create_dataset("energy", data=curated.energy_ev).attrs["units"] = "eV"
        file.create_dataset("spectra", data=curated.spectra).attrs["units"] = "bohr^2"
        file.create_dataset("material_id", data=list(curated.material_id), dtype=STRING)
        file.create_dataset("site_index", data=curated.site_index)
        file.create_dataset("multiplicity", data=curated.multiplicity)
        corrections = list(curated.corrections) or [""] * len(curated.material_id)
        file.create_dataset("corrections", data=corrections, dtype=STRING)
        write_rejected_group(file, curated.rejected)
        write_examples(file, curated.examples)
        if curated.envelope is not None:
            file.create_dataset("envelope", data=curated.envelope).attrs["units"] = "bohr^2"


def read_spectra(path: str | Path) -> CuratedSpectra:
    """Read what `write_spectra` wrote.

    Raises:
        XanesflowError: the file does not hold curated spectra.
    """
    try:
        with open_hdf5(path) as file:
            return CuratedSpectra(
                subset=str(file.attrs["subset"]),
                energy_ev=file["energy"][:],
                spectra=file["spectra"][:],
                material_id=file["material_id"].asstr()[:].tolist(),
                site_index=file["site_index"][:],
                multiplicity=file["multiplicity"][:],
                rejected=read_rejected_group(file),
                corrections=file["corrections"].asstr()[:].tolist(),
                described=json.loads(file.attrs.get("described", "{}")),
                examples=read_examples(file),
                envelope=file["envelope"][:] if "envelope" in file else None,
            )
    except (OSError, KeyError) as error:
        raise XanesflowError(
            f"{path} is not a complete file of curated spectra ({error}); delete it and run again."
        ) from None
