"""Constants of physics that several stages need."""

BOHR_ANGSTROM = 0.529177210903
"""Bohr radius in Å (CODATA 2018, as the published spectra were made with)."""
