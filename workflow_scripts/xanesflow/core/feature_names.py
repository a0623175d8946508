"""The features that a configuration can name. They are separate from the code that computes them, to plan quickly."""

from __future__ import annotations

import re

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import quoted

KNOWN = {
    "m3gnet": "node features of M3GNet's last block (64), the features of the OmniXAS paper",
    "m3gnet_all": "M3GNet's element embedding and the node features of all three blocks (256)",
    "chgnet": "CHGNet's atom features and magnetic moment (65)",
    "chgnet_cell": "the same, averaged over all atoms of the crystal (65)",
    "radial": "smoothed histograms of the distances to all neighbours and to oxygens alone (30)",
    "angular": "bond-orientational order of all neighbours and of oxygens alone in six soft shells (72)",
    "acsf": "atom-centred symmetry functions (1024; a network sees their principal components)",
    "soap": "smooth overlap of atomic positions (1024; a network sees its principal components)",
}
"""Name in `features.models` → what it is. To add features, name them here, in `DIMENSIONS` and in
`features.featurizers`."""

REDUCED = frozenset({"acsf", "soap"})
"""Wide descriptors; networks and simple models see their principal components over the training part
(`models.network.reduction`), kernel regressions and delta models all their numbers."""


DIMENSIONS = {
    "m3gnet": 64, "m3gnet_all": 256, "chgnet": 65, "chgnet_cell": 65, "radial": 30, "angular": 72, "acsf": 1024,
    "soap": 1024,
}  # fmt: skip
"""Numbers for each site; features of a user's own file that go by one of these names must have as many."""


UNKNOWN_WEIGHTS = "unknown"
"""Hash of the weights of features that a user brought in a file without that hash."""


def parse_features(name: str, *, any_name: bool = False) -> list[str]:
    """Split a name in the configuration into its single features, in order: `m3gnet_all+chgnet` → both.

    Args:
        name: of one or several features.
        any_name: whether the features may be the user's own, so that a part can have any name.

    Raises:
        XanesflowError: a part is unknown, empty, or repeated.
    """
    parts = [part.strip() for part in name.split("+")]
    for part in parts:
        if any_name and not re.fullmatch("[a-z0-9_]+", part):
            raise XanesflowError(
                f"Features {quoted(name)} name {quoted(part)}: known are {', '.join(KNOWN)}, and those of a file of "
                "your own can have any name of small letters, digits and _."
            )
        if not any_name and part not in KNOWN:
            raise XanesflowError(
                f"Features {quoted(name)} name {quoted(part)}, which is unknown: use one of {', '.join(KNOWN)}, "
                "or several joined by +."
            )
    if len(set(parts)) < len(parts):
        raise XanesflowError(f"Features {quoted(name)} name one kind twice: name each once.")
    return parts
