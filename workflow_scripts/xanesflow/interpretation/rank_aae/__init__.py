"""RankAAE (Z. Liang et al., arXiv 2301.04724): an adversarial autoencoder whose latent axes each rank a descriptor."""
