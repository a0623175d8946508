"""What a trained model says of itself, and what all kinds of models have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.errors import XanesflowError

DELTA = "delta"
"""The kind of model that predicts the difference to a cheaper level of theory."""


@dataclass(frozen=True)
class ModelCard:
    """What a model is and where it came from; each entry is JSON text in the checkpoint's metadata.

    Attributes:
        kind: `expert`, `universal`, `tuned` or `delta`.
        subset: what it is a model of: a subset, as `Cu_FEFF`, or, if it is universal, a level of theory, as `FEFF`.
        features: as `m3gnet` or `m3gnet_all+chgnet`.
        feature_dimensions: numbers per site of each featurizer, in order.
        featurizers: what the dataset said of each, with the weights' hash.
        settings: `TrainingSettings` (of a delta model `DeltaSettings`) as a dictionary, the seed among them.
        scaling: `paper` or `standardise`.
        spectra_factor: of the scaling, per bohr².
        dataset_sha256: of the dataset file.
        data_sha256: of the subset's arrays (see `SubsetData`); of several subsets, over their hashes.
        n_train: spectra that it was trained on, of all its subsets.
        n_val: spectra that stopped the training, of all its subsets.
        best_epoch: the epoch whose weights these are.
        learning_rate: that was used, found or given.
        val_mse: mean squared error of the network (of a delta model: the model) on the validation part in bohr⁴.
        seconds: that the training lasted.
        history: rows of epoch, training and validation mean squared error in bohr⁴.
        versions: of xanesflow, python, torch and numpy.
        config: the campaign's configuration, if it was given.
        subsets: those that it covers, with `n_train`, `n_val` and `data_sha256` of each. A checkpoint without this
            entry (of xanesflow 0.1) is of an expert and covers `subset`.
        asked: the settings as they were asked for, but for the seed; in `settings` the batch may be smaller, where
            memory did not suffice.
        range_test: rates, losses, suggestion and whether it was found, if there was a range test.
        start: the model whose weights and scaling the training began with, if it had one: kind, subset, seed, sha256.
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


@dataclass(frozen=True, eq=False)
class TrainedModel(ABC):
    """A trained model, ready to predict.

    Attributes:
        card: what it is.
        energies_ev: (141,) absolute energies in eV of what it predicts, by subset: the grid of a prediction is that of
            the site's own subset.
    """

    card: ModelCard
    energies_ev: dict[str, npt.NDArray[np.float64]]

    @property
    def energy_ev(self) -> npt.NDArray[np.float64]:
        """(141,) the grid in eV of a model with one subset.

        Raises:
            XanesflowError: it covers several, each with a grid of its own.
        """
        if len(self.energies_ev) > 1:
            raise XanesflowError(
                f"This {self.card.kind} model covers {', '.join(self.energies_ev)}, each with energies of its own; "
                "ask for those of one subset (energy_of)."
            )
        return next(iter(self.energies_ev.values()))

    def energy_of(self, subset: str) -> npt.NDArray[np.float64]:
        """(141,) absolute energies in eV of the spectra that it predicts for sites of `subset`, as `Cu_FEFF`.

        Raises:
            XanesflowError: the model was not trained on this subset.
        """
        if subset not in self.energies_ev:
            raise XanesflowError(
                f"This {self.card.kind} model covers {', '.join(self.energies_ev)} and knows nothing of {subset}; "
                "train a model with it."
            )
        return self.energies_ev[subset]

    def predict(self, features: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Spectra from features.

        Args:
            features: (n, d), the featurizers' blocks in the order of the model's features.

        Returns:
            (n, 141) cross sections in bohr², on the energies of the sites' subset (`energy_of`).

        Raises:
            XanesflowError: the features have another dimension than the model's, or are no finite numbers.
        """
        values = np.asarray(features)
        wanted = sum(self.card.feature_dimensions.values())
        if values.ndim != 2 or values.shape[1] != wanted:
            raise XanesflowError(
                f"This {self.card.kind} model of {self.card.subset} takes {self.card.features} features, "
                f"(n, {wanted}), but was given {values.shape}; compute its features for your sites."
            )
        if not np.isfinite(values).all():
            raise XanesflowError(
                f"The features given to the {self.card.kind} model of {self.card.subset} hold values that are no "
                "finite numbers; compute them again."
            )
        return self._spectra(values)

    @abstractmethod
    def _spectra(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(n, 141) in bohr² of finite features of the right dimension."""

    @abstractmethod
    def how_trained(self) -> list[str]:
        """Lines on what it is made of, and how it was trained."""

    @abstractmethod
    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """All that it holds but card and energies, as named arrays for a checkpoint."""

    def describe(self) -> str:
        """What the model is, in a few lines."""
        card = self.card
        blocks = " + ".join(f"{name} ({size})" for name, size in card.feature_dimensions.items())
        grids = "; ".join(
            f"{subset} {len(energy)} energies, {energy[0]:.3f} to {energy[-1]:.3f} eV"
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
