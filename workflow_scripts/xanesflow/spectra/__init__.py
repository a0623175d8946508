"""Stage 4: from raw runs to curated spectra on one grid, with a reason for each run that is left out."""
