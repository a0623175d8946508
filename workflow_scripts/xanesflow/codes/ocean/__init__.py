"""OCEAN: Bethe-Salpeter spectra. Inputs are written; runs are neither made nor read yet."""
