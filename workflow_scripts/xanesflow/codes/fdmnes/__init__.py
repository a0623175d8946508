"""FDMNES: finite differences around the absorber. This version writes inputs; it cannot run or read them yet."""
