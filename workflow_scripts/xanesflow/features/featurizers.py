"""From a name in the configuration to the featurizer that computes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import KNOWN, REDUCED
from xanesflow.core.text import quoted
from xanesflow.features.featurize_structures import Featurizer

if TYPE_CHECKING:
    from xanesflow.features.acsf_soap import DescriptorFeaturizer


def get_featurizer(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str = "cpu",
    workers: int = 1,
) -> Featurizer | DescriptorFeaturizer:
    """Make a featurizer by its name.

    Args:
        name: one of KNOWN; not a combination, as each kind is computed and stored on its own.
        weights: M3GNet's folder or state.pt; None: matgl's cache, then a download. Other featurizers ignore it.
        device: "cpu", "cuda" or "cuda:<number>".
        workers: processes.

    Raises:
        XanesflowError: the name or device is not known, or the weights are absent or not the published ones.
    """
    if name not in KNOWN:
        raise XanesflowError(f"The features {quoted(name)} are not known: use one of {', '.join(KNOWN)}.")
    if name in REDUCED:
        from xanesflow.features.acsf_soap import DescriptorFeaturizer  # imports dscribe when it computes

        return DescriptorFeaturizer(name, workers=workers)
    if name in ("chgnet", "chgnet_cell"):
        from xanesflow.features.graph_networks import chgnet  # imports chgnet and torch

        kind = chgnet.CHGNetFeaturizer if name == "chgnet" else chgnet.CHGNetCellFeaturizer
        return kind(device=device, workers=workers)
    if name == "radial":
        from xanesflow.features.radial import RadialFeaturizer

        return RadialFeaturizer(device=device, workers=workers)
    if name == "angular":
        from xanesflow.features.angular import AngularFeaturizer

        return AngularFeaturizer(device=device, workers=workers)
    from xanesflow.features.graph_networks.m3gnet import M3GNetFeaturizer  # imports torch

    return M3GNetFeaturizer(weights, all_layers=name == "m3gnet_all", device=device, workers=workers)
