"""A kernel regression as a model of its own: fitted in a minute, and as good as the network beside it.

The models that come with the package are of this kind (`studies/make_builtin.py`). In the workflow a kernel regression
has a share of the predictions of networks, `models.kernel_share`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.errors import XanesflowError
from xanesflow.core.provenance import versions
from xanesflow.models.kernel_ridge import KernelRidge
from xanesflow.models.model_kinds import KERNEL, ModelCard, TrainedModel
from xanesflow.models.subset_data import SubsetData


@dataclass(frozen=True, eq=False)
class KernelModel(TrainedModel):
    """A kernel regression of the spectra of one subset."""

    kernel: KernelRidge  # the regression

    def _spectra(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return self.kernel.predict(features)

    def how_trained(self) -> list[str]:  # noqa: D102
        card, kernel = self.card, self.kernel
        return [
            f"kernel regression (Matérn 3/2, length {kernel.length:g}, noise {kernel.noise:g}), seed {card.seed}",
            f"fitted to {card.n_train} spectra (validation {card.n_val}), validation error {card.val_mse:.4g} bohr⁴",
        ]

    def tensors(self) -> dict[str, npt.NDArray[Any]]:  # noqa: D102
        return self.kernel.tensors()

    @classmethod
    def from_tensors(
        cls, card: ModelCard, energies_ev: dict[str, npt.NDArray[np.float64]], tensors: dict[str, npt.NDArray[Any]]
    ) -> KernelModel:
        """Read a model back from the arrays of a checkpoint.

        Raises:
            KeyError, TypeError, ValueError: a part is missing or does not fit.
        """
        kernel = KernelRidge.from_tensors(tensors)
        if kernel is None:
            raise KeyError("the regression")
        return cls(card, energies_ev, kernel)


def fit_kernel_model(data: SubsetData, *, seed: int = 0, config_json: str | None = None) -> KernelModel:
    """Fit a kernel regression to the training part; the validation part only says how good it is.

    Args:
        data: a subset.
        seed: of the draws.
        config_json: the campaign's configuration, to be stored in the checkpoint.

    Raises:
        XanesflowError: a part has too few spectra, or all training sites are of one material.
    """
    train, val = data.rows("train"), data.rows("val")
    if len(train) < 2 or len(val) < 1:
        raise XanesflowError(
            f"{data.subset} in {data.path}: too few spectra to fit a model ({data.counts()}); add finished simulations."
        )
    begin = time.monotonic()
    blocks = list(data.feature_dimensions.values())
    kernel = KernelRidge.fit(data.features[train], data.spectra[train], data.materials[train], blocks, seed=seed)
    val_mse = float(((kernel.predict(data.features[val]) - data.spectra[val]) ** 2).mean())
    settings = {"seed": seed}
    made_with = versions(["torch", "scipy", "scikit-learn"])
    card = ModelCard.of_regression(
        KERNEL, data, settings, n_train=len(train), versions=made_with, config_json=config_json
    )
    seconds = round(time.monotonic() - begin, 1)
    card = replace(card, best_epoch=1, val_mse=val_mse, seconds=seconds, asked=settings)
    return KernelModel(card, {data.subset: data.energy_ev}, kernel)
