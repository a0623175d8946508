"""The largest files that are read, by kind: far beyond honest files, and small enough to be refused in seconds."""

STRUCTURE_FILE = 16 * 2**20
"""Bytes of one structure file, packed and unpacked. 100,000 atoms take about 6 MB."""

ARCHIVE_MEMBER = 64 * 2**20
"""Bytes of one file of a run, in a folder or packed. A file of a FEFF run has some 10 kB."""

ARCHIVE_HEADER = 2**20
"""Bytes of names that a header of a tar announces."""

ARRAYS_OF_NPZ = 8 * 2**30
"""Bytes of all arrays of a NumPy file, unpacked. The published training data of all subsets has 0.2 GiB."""
