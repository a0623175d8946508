"""Stage 1: crystal structures, and the sites in them whose spectra are to be computed."""
