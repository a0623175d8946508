"""Checks of a dataset file: layout, numbers, structures, splits."""
