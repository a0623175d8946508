"""Checking a dataset file: layout, numbers, structures, splits."""
