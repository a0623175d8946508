"""Tuned-UniversalXAS: a universal model, trained further on one subset (arXiv 2409.19552).

The training starts from all weights and the scaling of the universal model. The subset may belong to another level of
theory than the universal model: features depend on the structures alone, so a model of many cheap spectra helps a model
of fewer expensive ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xanesflow.models.network.checkpoint import Model
from xanesflow.models.network.fit import train_model


def train_tuned(
    dataset_path: str | Path,
    outputs: Mapping[int, Path],
    *,
    universal: Mapping[int, Path],
    subset: str,
    **others: Any,
) -> list[Model]:
    """Tune a universal model to one subset with one or several seeds and write the checkpoints.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        outputs: the checkpoint of each seed.
        universal: checkpoint of the universal model with each seed.
        subset: such as `Cu_FEFF`, of any level of theory.
        others: `features`, `settings` and other arguments of `xanesflow.models.network.fit.train_model`; the hidden
            layers are those of the universal model.

    Raises:
        XanesflowError: the dataset lacks the subset or features, a part has too few spectra, the training failed, or
            the universal model cannot be used or takes other features.
    """
    return train_model("tuned", subset, dataset_path, outputs, subsets=[subset], starts=universal, **others)
