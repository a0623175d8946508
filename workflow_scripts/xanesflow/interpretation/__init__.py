"""From a spectrum back to its site: descriptors of sites, and models that read them from spectra.

dataset, runs ──► describe_sites: oxidation state, neighbours, distances, charge of each site
│
spectra ──► window ──► interpreter (extra trees, network, kernel) ──► values with error bars, classes, domain
└───► rank_aae: an autoencoder whose axes rank the descriptors
"""
