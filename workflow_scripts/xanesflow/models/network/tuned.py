"""Tuned-UniversalXAS: UniversalXAS trained on, with one subset (arXiv 2409.19552).

All of its weights and its scaling are where the training begins. The subset may be of another level of theory than
those of the universal model: as its features are of the same structures, a model of many cheap spectra helps that of
fewer expensive ones.
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
    """Tune a universal model to one subset with one or several seeds and write it.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        outputs: the checkpoint of each seed.
        universal: checkpoint of the universal model with each seed.
        subset: as `Cu_FEFF`, of any level of theory.
        others: `features`, `settings` and what else `xanesflow.models.network.fit.train_model` takes; the hidden layers
            are those of the universal model.

    Raises:
        XanesflowError: the dataset does not hold what is asked for, a part has too few spectra, the training failed,
            or the universal model is none, or takes other features.
    """
    return train_model("tuned", subset, dataset_path, outputs, subsets=[subset], starts=universal, **others)
