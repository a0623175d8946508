"""Physical constants that several stages need."""

BOHR_ANGSTROM = 0.529177210903
"""Bohr radius in Å (CODATA 2018, which the published spectra use)."""

RYDBERG_EV = 13.605693122994
"""Rydberg energy in eV (CODATA 2018)."""

HARTREE_EV = 2 * RYDBERG_EV
"""Hartree energy in eV."""

INVERSE_FINE_STRUCTURE = 137.035999084
"""Inverse of the fine-structure constant (CODATA 2018), which is the speed of light in atomic units."""
