"""What all kinds of trained models have in common: a model card, and a way to predict."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural

if TYPE_CHECKING:
    from xanesflow.models.subset_data import SubsetData

KERNEL = "kernel"
"""The kind of model that is a kernel regression alone."""


@dataclass(frozen=True)
class ModelCard:
    """What a model is and where it came from; each entry is JSON text in the checkpoint's metadata.

    Attributes:
        kind: `expert`, `universal`, `tuned`, `delta` or `kernel`.
        subset: the subset that the model predicts, such as `Cu_FEFF`; for a universal model the level of theory, such
            as `FEFF`.
        features: such as `m3gnet` or `m3gnet_all+chgnet`.
        feature_dimensions: numbers per site of each featurizer, in order.
        featurizers: the dataset's attributes of each featurizer, including the hash of its weights.
        settings: `TrainingSettings` (for a delta model `DeltaSettings`) as a dictionary, including the seed.
        scaling: `paper` or `standardise`.
        spectra_factor: factor of the scaling, per bohr².
        dataset_sha256: hash of the dataset file.
        data_sha256: hash of the subset's arrays (see `SubsetData`); for several subsets a hash of their hashes.
        n_train: number of training spectra in all its subsets.
        n_val: number of validation spectra, which stop the training, in all its subsets.
        best_epoch: the epoch whose weights the model has.
        learning_rate: the learning rate used, either found or given.
        val_mse: mean squared error on the validation part in bohr⁴, of the network alone or of a whole delta model.
        seconds: duration of the training.
        history: rows of epoch, training and validation mean squared error in bohr⁴.
        versions: of xanesflow, python, torch and numpy.
        config: the campaign's configuration, if it was given.
        subsets: the subsets that the model covers, with `n_train`, `n_val` and `data_sha256` of each. A checkpoint
            without this entry (from xanesflow 0.1) holds an expert that covers `subset`.
        asked: the requested settings, without the seed. In `settings` the batch may be smaller, if memory did not
            suffice.
        range_test: rates, losses, suggestion and whether it was found, if there was a range test.
        start: the model whose weights and scaling the training started from, if any: kind, subset, seed, sha256.
    """

    kind: str
    subset: str
    features: str
    feature_dimensions: dict[str, int]
    featurizers: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    scaling: str
    spectra_factor: float
    dataset_sha256: str
    data_sha256: str
    n_train: int
    n_val: int
    best_epoch: int
    learning_rate: float
    val_mse: float
    seconds: float
    history: list[list[float]]
    versions: dict[str, str]
    config: dict[str, Any] | None = field(default=None)
    subsets: dict[str, dict[str, Any]] = field(default_factory=dict)
    start: dict[str, Any] | None = field(default=None)
    asked: dict[str, Any] = field(default_factory=dict)
    range_test: dict[str, Any] | None = field(default=None)

    def __post_init__(self) -> None:
        if not self.subsets:
            share = {"n_train": self.n_train, "n_val": self.n_val, "data_sha256": self.data_sha256}
            object.__setattr__(self, "subsets", {self.subset: share})

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return int(self.settings["seed"])

    @classmethod
    def of_regression(
        cls,
        kind: str,
        data: SubsetData,
        settings: dict[str, Any],
        *,
        n_train: int,
        versions: dict[str, str],
        config_json: str | None,
    ) -> ModelCard:
        """Describe a model that is fitted at once, not by epochs; its validation error and time follow from the fit."""
        return cls(
            kind=kind,
            subset=data.subset,
            features=data.features_name,
            feature_dimensions=data.feature_dimensions,
            featurizers=data.featurizers,
            settings=settings,
            scaling="standardise",
            spectra_factor=1.0,
            dataset_sha256=data.file_sha256,
            data_sha256=data.data_sha256,
            n_train=n_train,
            n_val=len(data.rows("val")),
            best_epoch=0,
            learning_rate=0.0,
            val_mse=0.0,
            seconds=0.0,
            history=[],
            versions=versions,
            config=json.loads(config_json) if config_json else None,
        )


@dataclass(frozen=True, eq=False)
class TrainedModel(ABC):
    """A trained model, ready to predict.

    Attributes:
        card: describes the model.
        energies_ev: (141,) absolute energies in eV, by subset; a prediction is on the grid of the site's subset.
    """

    card: ModelCard
    energies_ev: dict[str, npt.NDArray[np.float64]]

    def energy_of(self, subset: str) -> npt.NDArray[np.float64]:
        """(141,) absolute energies in eV of predictions for sites of a subset such as `Cu_FEFF`.

        Raises:
            XanesflowError: the model was not trained on this subset.
        """
        if subset not in self.energies_ev:
            raise XanesflowError(
                f"This {self.card.kind} model covers {', '.join(self.energies_ev)}, but not {subset}; "
                "train a model on that subset."
            )
        return self.energies_ev[subset]

    def predict(self, features: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Predict spectra from features.

        Args:
            features: (n, d), with the blocks of the featurizers in the order of the model's features.

        Returns:
            (n, 141) cross sections in bohr², on the energies of the sites' subset (`energy_of`).

        Raises:
            XanesflowError: the features have the wrong dimension, or are not finite numbers.
        """
        values = np.asarray(features)
        wanted = sum(self.card.feature_dimensions.values())
        if values.ndim != 2 or values.shape[1] != wanted:
            raise XanesflowError(
                f"This {self.card.kind} model of {self.card.subset} takes {self.card.features} features of shape "
                f"(n, {wanted}), but was given {values.shape}; compute these features for your sites."
            )
        if not np.isfinite(values).all():
            raise XanesflowError(
                f"The features given to the {self.card.kind} model of {self.card.subset} hold values that are no "
                "finite numbers; compute them again."
            )
        return np.maximum(self._spectra(values), 0.0)  # a cross section cannot be negative

    @abstractmethod
    def _spectra(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(n, 141) spectra in bohr² from finite features of the right dimension; they may be negative."""

    @abstractmethod
    def how_trained(self) -> list[str]:
        """Lines that say what the model consists of and how it was trained."""

    @abstractmethod
    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that the model holds, except card and energies, as named arrays for a checkpoint."""

    def describe(self) -> str:
        """Describe the model in a few lines."""
        card = self.card
        blocks = " + ".join(f"{name} ({size})" for name, size in card.feature_dimensions.items())
        grids = "; ".join(
            f"{subset} {plural(len(energy), 'energy', 'energies')}, {energy[0]:.3f} to {energy[-1]:.3f} eV"
            for subset, energy in self.energies_ev.items()
        )
        made_with = ", ".join(f"{name} {version}" for name, version in card.versions.items())
        return "\n".join(
            [
                f"{card.kind} model of {card.subset}: {blocks} -> {grids}",
                *self.how_trained(),
                f"dataset {card.dataset_sha256[:12]}, {made_with}",
            ]
        )
