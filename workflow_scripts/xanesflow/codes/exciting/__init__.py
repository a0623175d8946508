"""exciting: all-electron Bethe-Salpeter spectra. This version writes inputs; it cannot run or read them yet."""
