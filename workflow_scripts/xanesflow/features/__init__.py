"""Features of atoms: what machine learning sees of a site.

    structures, sites ──► compute_features.compute_features ──► one HDF5 file per subset and featurizer
                                 │
             featurizers.get_featurizer("m3gnet" | "m3gnet_all" | "chgnet" | …)
                                 │
             featurize_structures.Featurizer: build_graph ──► evaluate (a network, or a formula)
             acsf_soap.DescriptorFeaturizer ("acsf" | "soap"): the package dscribe, for the wanted atoms only

`graph_networks` holds M3GNet and CHGNet, and the checks that their weights and sums are the published ones.
`cheap_runs` makes features from runs of a cheaper level of theory, for delta models. Importing this package is quick:
torch and the like are imported when a featurizer is made.
"""

from typing import TYPE_CHECKING

from xanesflow.core.feature_names import KNOWN, parse_features

if TYPE_CHECKING:
    from xanesflow.features.compute_features import SiteFeatures, read_features
    from xanesflow.features.featurizers import get_featurizer

__all__ = ["KNOWN", "SiteFeatures", "get_featurizer", "parse_features", "read_features"]


def __getattr__(name: str) -> object:
    """Import the names of `compute_features` and `featurizers` on first use: tables and pymatgen take a second."""
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from importlib import import_module

    return getattr(
        import_module(f"xanesflow.features.{'featurizers' if name == 'get_featurizer' else 'compute_features'}"), name
    )
