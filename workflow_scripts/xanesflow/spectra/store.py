"""The file of curated spectra: `results/spectra/<subset>.h5`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from xanesflow.core.array_types import Floats
from xanesflow.core.arrays import read_array, write_array
from xanesflow.core.files import atomic_path
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.hdf5 import read_hdf5
from xanesflow.core.reasons import Rejected
from xanesflow.core.tables import read_rejected_group, write_rejected_group
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
        settings: (n,) which physics settings of a run differ from those of most; empty: none; (): in no run.
        described: what is known about the spectra, by attribute of the dataset (`multiplicity`: about that array). For
            spectra from a file, what that file says; for spectra of runs, their physics `settings`, if these are known.
        examples: some of the spectra that were left out.
        envelope: (2, 141) lowest and highest cross section that the σ envelope allows, bohr²; None: no envelope.
    """

    subset: str
    energy_ev: Floats
    spectra: Floats
    material_id: Sequence[str]
    site_index: NDArray[np.int64]
    multiplicity: NDArray[np.int64]
    rejected: Sequence[Rejected]
    corrections: Sequence[str] = ()
    settings: Sequence[str] = ()
    described: Mapping[str, str] = field(default_factory=dict)
    examples: Sequence[RejectedExample] = ()
    envelope: Floats | None = None


def write_spectra(path: str | Path, curated: CuratedSpectra, attributes: Mapping[str, str]) -> None:
    """Write curated spectra as HDF5, whole or not at all."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"subset": curated.subset, "described": json.dumps(dict(curated.described)), **attributes})
        write_array(file, "energy", curated.energy_ev)
        for name in ("spectra", "material_id", "site_index", "multiplicity"):
            write_array(file, name, getattr(curated, name))
        write_array(file, "corrections", list(curated.corrections) or [""] * len(curated.material_id))
        if any(curated.settings):
            write_array(file, "settings", list(curated.settings))
        write_rejected_group(file, curated.rejected)
        write_examples(file, curated.examples)
        if curated.envelope is not None:
            write_array(file, "envelope", curated.envelope)


def read_spectra(path: str | Path) -> CuratedSpectra:
    """Read what `write_spectra` wrote.

    Raises:
        XanesflowError: the file does not hold curated spectra.
    """
    sentence = f"{path} is not a complete file of curated spectra ({{why}}); delete it and run again."
    with read_hdf5(path, sentence) as file:
        return CuratedSpectra(
            subset=str(file.attrs["subset"]),
            energy_ev=read_array(file, "energy"),
            spectra=read_array(file, "spectra"),
            material_id=read_array(file, "material_id").tolist(),
            site_index=read_array(file, "site_index"),
            multiplicity=read_array(file, "multiplicity"),
            rejected=read_rejected_group(file),
            corrections=read_array(file, "corrections").tolist(),
            settings=read_array(file, "settings").tolist() if "settings" in file else (),
            described=parse_object(str(file.attrs.get("described", "{}"))),
            examples=read_examples(file),
            envelope=read_array(file, "envelope") if "envelope" in file else None,
        )
