"""The numbers that a prediction holds. `prediction.Prediction` adds how to write and draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import site_id
from xanesflow.core.text import plural
from xanesflow.prediction.average import Averages
from xanesflow.structures.material import Material

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class SubsetPrediction:
    """Predicted spectra of n sites of one element at one level of theory, in bohr² unless another unit is named.

    Attributes:
        subset: as `Cu_FEFF`.
        model: kind, as `expert`.
        features: as `m3gnet`.
        seeds: of the networks whose mean is the prediction.
        energy_ev: (141,) absolute photon energies in eV.
        material_id: n ids, sorted; the sites of a material in the order of its atoms.
        formula: n reduced formulas.
        site_index: (n,) 0-based index of the atom in its structure.
        multiplicity: (n,) symmetry-equivalent atoms of the cell that the site stands for, itself included.
        spectra: (n, 141) absorption cross section.
        band_68: (2, n, 141) lower and upper ends of the bands that should hold 68 % of the points; None without error
            bars.
        band_95: the same for 95 %.
        error: (n,) expected error of each spectrum, root mean square over its energies; None without error bars.
        error_95: (n,) bound that this error stays below for 95 % of the spectra.
        distance: (n,) to the nearest training site, in standard deviations of the features; NaN for sites that are
            predicted from the structure alone; None if the training sites are not known.
        limit: distance beyond which a site is unlike all training sites (`TrainingSites.limit`); None if not known.
        uncalibrated: a sentence that says why there are no error bars; empty if there are.
        averages: spectra of whole materials.
        structure_alone: (n,) whether the cheap run of a delta model failed at the site; the model then predicts the
            site from the structure alone, with separate error bars. None for other kinds of models.
        shift_ev: by material, what is added to `energy_ev` to have its spectra where experiment has them; empty: they
            stand at the energies of the model's level of theory.
    """

    subset: str
    model: str
    features: str
    seeds: list[int]
    energy_ev: Floats
    material_id: list[str]
    formula: list[str]
    site_index: NDArray[np.int64]
    multiplicity: NDArray[np.int64]
    spectra: Floats
    band_68: Floats | None
    band_95: Floats | None
    error: Floats | None
    error_95: Floats | None
    distance: Floats | None
    limit: float | None
    uncalibrated: str
    averages: Averages
    structure_alone: NDArray[np.bool_] | None = None
    shift_ev: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.material_id)

    def __repr__(self) -> str:
        return f"<prediction of {plural(len(self), 'site')} of {self.subset} by {self.model} on {self.features}>"

    @property
    def ids(self) -> list[str]:
        """Names of the sites, as `mp-390_000`."""
        return [site_id(material, int(site)) for material, site in zip(self.material_id, self.site_index, strict=True)]

    def energies_of(self, material: str) -> Floats:
        """(141,) energies in eV of the spectra of a material."""
        return self.energy_ev + self.shift_ev.get(material, 0.0)

    @property
    def unlike(self) -> np.ma.MaskedArray[Any, np.dtype[np.bool_]] | None:
        """(n,) whether a site is farther from all training sites than `limit`; None if that is not known.

        A site whose distance is not known is masked: as a list, it has None there.
        """
        if self.distance is None or self.limit is None:
            return None
        return np.ma.masked_array(self.distance > self.limit, np.isnan(self.distance))

    def sites(self) -> pd.DataFrame:
        """A row for each site: ids, expected error (bohr²), distance, and whether it is unlike the training sites."""
        import pandas as pd  # slow to import, and not needed for the arrays

        nothing = [None] * len(self)
        return pd.DataFrame(
            {
                "subset": self.subset,
                "material_id": self.material_id,
                "site_index": self.site_index,
                "formula": self.formula,
                "multiplicity": self.multiplicity,
                "error": nothing if self.error is None else self.error,
                "error_95": nothing if self.error_95 is None else self.error_95,
                "distance": nothing if self.distance is None else self.distance,
                "unlike": nothing if self.unlike is None else self.unlike.tolist(),
                **({} if self.structure_alone is None else {"structure_alone": self.structure_alone}),
            }
        )


@dataclass(frozen=True, eq=False, repr=False)
class Predicted:
    """Predicted spectra of structures, as `Prediction` holds, writes and draws them.

    Attributes:
        subsets: by name, as `Cu_FEFF`.
        rejected: what was left out and why; a `site_index` of -1 means the whole material.
        remarks: what a user should know, one sentence each.
        made: provenance: models with their hashes, featurizers, versions.
        materials: the structures by id; none of a prediction that was read from a file.
    """

    subsets: dict[str, SubsetPrediction]
    rejected: list[Rejected]
    remarks: list[str]
    made: dict[str, Any] = field(default_factory=dict)
    materials: Mapping[str, Material] = field(default_factory=dict)

    def __getitem__(self, subset: str) -> SubsetPrediction:
        if subset not in self.subsets:
            raise XanesflowError(f"The prediction holds no {subset}, only {', '.join(self.subsets)}.")
        return self.subsets[subset]

    def __len__(self) -> int:
        return sum(map(len, self.subsets.values()))

    def __repr__(self) -> str:
        sites = ", ".join(f"{plural(len(each), 'site')} of {name}" for name, each in self.subsets.items())
        left_out = f", {len(self.rejected)} left out" if self.rejected else ""
        return f"<prediction: {sites or 'no site'}{left_out}>"

    @property
    def origin(self) -> list[str]:
        """Lines for the head of a file: models, settings, versions, how energies were moved."""
        return [f"{key}: {value}" for key, value in self.made.items() if key != "config"]

    def sites(self) -> pd.DataFrame:
        """A row for each site of every subset; see `SubsetPrediction.sites`."""
        import pandas as pd

        return pd.concat([each.sites() for each in self.subsets.values()], ignore_index=True)
