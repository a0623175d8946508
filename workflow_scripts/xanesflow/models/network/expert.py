"""ExpertXAS: one model for each subset (arXiv 2409.19552)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xanesflow.models.network.checkpoint import Model
from xanesflow.models.network.fit import train_model


def train_expert(dataset_path: str | Path, outputs: Mapping[int, Path], *, subset: str, **others: Any) -> list[Model]:
    """Train one expert with one or several seeds and write the checkpoints.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        outputs: the checkpoint of each seed.
        subset: such as `Cu_FEFF`.
        others: `features`, `settings` and other arguments of `xanesflow.models.network.fit.train_model`.

    Raises:
        XanesflowError: the dataset lacks the subset or features, a part has too few spectra, or the training failed.
    """
    return train_model("expert", subset, dataset_path, outputs, subsets=[subset], **others)
