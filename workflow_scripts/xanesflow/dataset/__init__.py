"""Stage 6: one HDF5 file with spectra, features, splits, structures and a record of where everything came from."""
