"""The features a configuration can name."""

from __future__ import annotations

from pathlib import Path

from xanesflow.errors import XanesflowError
from xanesflow.features.base import Featurizer

KNOWN = {
    "m3gnet": "node features of M3GNet's last block (64), the features of the OmniXAS paper",
    "m3gnet_all": "M3GNet's element embedding and the node features of all three blocks (256)",
    "chgnet": "CHGNet's atom features and magnetic moment (65)",
}
"""Name in `features.models` → what it is. To add one, write a Featurizer and name it here and in `get_featurizer`."""


def parse_features(name: str) -> list[str]:
    """The single features that a name in the configuration is made of, e.g. `m3gnet_all+chgnet` → both, in order.

    Raises:
        XanesflowError: a part is unknown, empty, or there twice.
    """
    parts = [part.strip() for part in name.split("+")]
    for part in parts:
        if part not in KNOWN:
            raise XanesflowError(
                f"Features {name!r} name {part!r}, which is not known: use one of {', '.join(KNOWN)}, "
                "or several joined by +."
            )
    if len(set(parts)) < len(parts):
        raise XanesflowError(f"Features {name!r} name one kind twice: name each once.")
    return parts


def get_featurizer(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    batch_atoms: int | None = None,
) -> Featurizer:
    """Make a featurizer by its name.

    Args:
        name: one of KNOWN (no combination: each kind is computed and stored on its own).
        weights: M3GNet's folder or state.pt; None: matgl's cache, then a download. Others ignore it.
        device: "cpu", "cuda" or "cuda:<number>".
        workers: processes.
        batch_atoms: atoms that go through the network at a time; None: what is fast on the device.

    Raises:
        XanesflowError: the name or device is not known, or the weights are absent or not the published ones.
    """
    if name not in KNOWN:
        raise XanesflowError(f"The features {name!r} are not known: use one of {', '.join(KNOWN)}.")
    if name == "chgnet":
        from xanesflow.features.chgnet import CHGNetFeaturizer  # imports chgnet and torch

        return CHGNetFeaturizer(device=device, workers=workers, batch_atoms=batch_atoms)
    from xanesflow.features.m3gnet import M3GNetFeaturizer  # imports torch

    return M3GNetFeaturizer(
        weights, all_layers=name == "m3gnet_all", device=device, workers=workers, batch_atoms=batch_atoms
    )
