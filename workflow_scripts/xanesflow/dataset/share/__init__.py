"""Prepare a dataset for others: package, datacard, Croissant metadata, export, licence."""
