"""UniversalXAS: one model over all subsets of a level of theory (arXiv 2409.19552).

The network maps a site's features to 141 numbers and never sees an energy. The energies of these numbers are the grid
of the absorber's subset, which the checkpoint stores. So the network learns once what elements have in common, and must
distinguish the elements by the features alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.models.network.checkpoint import Model
from xanesflow.models.network.fit import train_model


def train_universal(
    dataset_path: str | Path, outputs: Mapping[int, Path], *, subsets: Sequence[str], **others: Any
) -> list[Model]:
    """Train one universal model with one or several seeds and write the checkpoints.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        outputs: the checkpoint of each seed.
        subsets: subsets of one level of theory, such as `Ti_FEFF` and `Cu_FEFF`; their order does not matter.
        others: `features`, `settings` and other arguments of `xanesflow.models.network.fit.train_model`.

    Raises:
        XanesflowError: the subsets belong to several theories, the dataset lacks subsets or features, the subsets do
            not fit each other, a joined part has too few spectra, or the training failed.
    """
    theories = sorted({Subset.parse(subset).theory for subset in subsets})
    if len(theories) != 1:
        raise XanesflowError(
            f"A universal model learns from subsets of one level of theory, but was given "
            f"{', '.join(subsets) or 'none'}; train one for each theory."
        )
    return train_model("universal", theories[0], dataset_path, outputs, subsets=sorted(set(subsets)), **others)
