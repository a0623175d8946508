"""Stage 6: one HDF5 file with spectra, features, splits, structures and where it all came from."""
