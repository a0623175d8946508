"""FDMNES: finite differences around the absorber. Inputs are written; runs are neither made nor read yet."""
