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
