"""A dataset as others get it: package, datacard, Croissant metadata, export, licence."""
