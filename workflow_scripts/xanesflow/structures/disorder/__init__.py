"""Disordered crystals: cells with whole atoms that represent them."""
