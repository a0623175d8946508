"""Units of the input and the output of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from xanesflow.config.training_settings import ScalingChoice
from xanesflow.core.standardise import CLIP, mean_and_deviation
from xanesflow.models.network.reduction import fit_projection

PAPER_FACTOR = 1000.0
"""Features and spectra are multiplied by this (arXiv 2409.19552); K-edge spectra are then of the order 1 to 10."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """Features enter a network as `(features - feature_mean) * feature_scale`, spectra leave it times `spectra_factor`.

    Wide descriptors enter as principal components: the expression above, times `projection`.

    Attributes:
        name: `paper` (`feature_mean` 0, `feature_scale` 1000), or `standardise` (inputs with mean 0 and standard
            deviation 1 over the training part).
        feature_mean: (d,), in the features' unit.
        feature_scale: (d,), per unit of the features.
        spectra_factor: per bohr².
        limit: inputs are clipped at plus and minus this; None for no limit.
        projection: (d, k), see `reduction.fit_projection`; None if no descriptor is reduced, then k = d.
    """

    name: Literal["paper", "standardise"]
    feature_mean: npt.NDArray[np.float64]
    feature_scale: npt.NDArray[np.float64]
    spectra_factor: float = PAPER_FACTOR
    projection: npt.NDArray[np.float32] | None = None
    limit: float | None = None

    @property
    def n_inputs(self) -> int:
        """k, the number of inputs of the network for each site."""
        return len(self.feature_mean) if self.projection is None else int(self.projection.shape[1])

    @classmethod
    def fit(
        cls,
        choice: ScalingChoice,
        features: str,
        training: npt.NDArray[np.floating],
        dimensions: Mapping[str, int] | None = None,
    ) -> Scaling:
        """Fit the scaling of a model to its training part.

        Args:
            choice: `paper`, `standardise` or `auto`. `auto` means `paper` for the paper's features (m3gnet) and
                `standardise` for all others: the blocks of a combination differ in size by orders of magnitude, and
                with one common factor the largest would drown the rest.
            features: name of the features, such as `m3gnet` or `m3gnet_all+chgnet`.
            training: (n, d) features of the training part; no other part may shape the model.
            dimensions: numbers per site of each featurizer, in order; None if no descriptor is to be reduced.
        """
        projection = fit_projection(dimensions or {}, training)
        if projection is not None:
            plain = cls.fit(choice, features, training @ projection)
            # (x P - mean) scale = (x - P mean) P scale, because the axes are orthonormal.
            return replace(
                plain,
                feature_mean=projection @ plain.feature_mean,
                feature_scale=np.ones(len(projection)),
                projection=(projection * plain.feature_scale).astype(np.float32),
            )
        if choice == "auto":
            choice = "paper" if features == "m3gnet" else "standardise"
        if choice == "paper":
            return cls("paper", np.zeros(training.shape[1]), np.full(training.shape[1], PAPER_FACTOR))
        mean, deviation = mean_and_deviation(training.astype(np.float64))
        # A feature that is constant over the training part teaches nothing, so it is switched off.
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        return cls("standardise", mean, scale)

    def scale_features(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """(n, d) features -> (n, k) network input."""
        scaled = (features - self.feature_mean) * self.feature_scale
        scaled = scaled if self.projection is None else scaled @ self.projection
        return (scaled if self.limit is None else np.clip(scaled, -self.limit, self.limit)).astype(np.float32)

    def for_differences(self, training: npt.NDArray[np.floating]) -> Scaling:
        """The scaling of a network that learns differences to the baseline; they get the standard deviation 1.

        Args:
            training: (n, 141) spectra of the training part, bohr².
        """
        deviation = float(np.std(training - training.mean(axis=0)))
        factor = 1.0 / deviation if deviation > 0 else self.spectra_factor
        return replace(self, spectra_factor=factor, limit=CLIP if self.name == "standardise" else None)

    def scale_spectra(self, spectra: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """(n, 141) spectra in bohr² -> (n, 141) network output."""
        return (spectra * self.spectra_factor).astype(np.float32)

    def unscale_spectra(self, outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """(n, 141) network output -> (n, 141) spectra in bohr²."""
        return outputs.astype(np.float64) / self.spectra_factor
