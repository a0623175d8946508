"""UniversalXAS: one model over all subsets of a level of theory (arXiv 2409.19552).

The network maps a site's features to 141 numbers and never sees an energy: what the numbers are the spectrum at comes
from the absorber's own grid, which the checkpoint keeps for each subset. So what elements have in common is learned
once, and the features alone must tell the elements apart.
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
    """Train one universal model with one or several seeds and write it.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        outputs: the checkpoint of each seed.
        subsets: all of one level of theory, as `Ti_FEFF` and `Cu_FEFF`. Their order makes no difference to the model.
        others: `features`, `settings` and what else `xanesflow.models.network.fit.train_model` takes.

    Raises:
        XanesflowError: the subsets are of several theories, the dataset does not hold what is asked for, the subsets
            do not fit each other, a joined part has too few spectra, or the training failed.
    """
    theories = sorted({Subset.parse(subset).theory for subset in subsets})
    if len(theories) != 1:
        raise XanesflowError(
            f"A universal model learns from subsets of one level of theory, but was given "
            f"{', '.join(subsets) or 'none'}; train one for each theory."
        )
    return train_model("universal", theories[0], dataset_path, outputs, subsets=sorted(set(subsets)), **others)
