"""Features of atoms: what machine learning sees of a site.

    structures, sites ──► compute.compute_features ──► one HDF5 file per subset and featurizer
                                 │
             registry.get_featurizer("m3gnet" | "m3gnet_all" | "chgnet" | …)
                                 │
             base.Featurizer: build_graph (neighbors) ──► evaluate (m3gnet_network, or the package chgnet)
             descriptors.DescriptorFeaturizer ("acsf" | "soap"): the package dscribe, of the wanted atoms alone

`weights` makes sure that a network's numbers are the published ones, `matgl_sum` that messages are summed where the
published M3GNet sums them, and `bond_classes` spares the network bonds that are equal by symmetry. Importing this
package is cheap: torch and the like are imported when a featurizer is made.
"""

from xanesflow.feature_names import KNOWN, parse_features
from xanesflow.features.compute import SiteFeatures, compute_features, read_features
from xanesflow.features.registry import get_featurizer

__all__ = ["KNOWN", "SiteFeatures", "compute_features", "get_featurizer", "parse_features", "read_features"]
