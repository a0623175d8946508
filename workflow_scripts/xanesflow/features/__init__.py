"""Features of atoms: what machine learning sees of a site.

    structures, sites ──► compute_features.compute_features ──► one HDF5 file per subset and featurizer
                                 │
             featurizers.get_featurizer("m3gnet" | "m3gnet_all" | "chgnet" | …)
                                 │
             base.Featurizer: build_graph (neighbors) ──► evaluate (m3gnet_network, or the package chgnet)
             descriptors.DescriptorFeaturizer ("acsf" | "soap"): the package dscribe, of the wanted atoms alone

`weights` makes sure that a network's numbers are the published ones, `matgl_sum` that messages are summed where the
published M3GNet sums them, and `bond_classes` spares the network bonds that are equal by symmetry. Importing this
package is cheap: torch and the like are imported when a featurizer is made.
"""

from typing import TYPE_CHECKING

from xanesflow.core.feature_names import KNOWN, parse_features

if TYPE_CHECKING:
    from xanesflow.features.compute_features import SiteFeatures, compute_features, read_features
    from xanesflow.features.featurizers import get_featurizer

__all__ = ["KNOWN", "SiteFeatures", "compute_features", "get_featurizer", "parse_features", "read_features"]


def __getattr__(name: str) -> object:
    """What stands in `compute` and `registry`, imported when it is asked for: tables and pymatgen cost a second."""
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from importlib import import_module

    return getattr(
        import_module(f"xanesflow.features.{'featurizers' if name == 'get_featurizer' else 'compute_features'}"), name
    )
