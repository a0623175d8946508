"""The largest files that are read, by kind: far beyond honest files, and small enough to be refused in seconds."""

STRUCTURE_FILE = 16 * 2**20
"""Bytes of one structure file, packed and unpacked. 100,000 atoms take about 6 MB."""

MEASURED_FILE = 20_000_000
"""Bytes of a file with measured spectra; one has about 100 kB, a compressed project of hundreds a few MB."""

ARCHIVE_MEMBER = 64 * 2**20
"""Bytes of one file of a run, in a folder or packed. A file of a FEFF run has some 10 kB."""

ARCHIVE_HEADER = 2**20
"""Bytes of names that a header of a tar announces."""

ARRAYS_OF_NPZ = 8 * 2**30
"""Bytes of all arrays of a NumPy file, unpacked. The published training data of all subsets has 0.2 GiB."""


def measured_file_too_large(name: str, size: int) -> str:
    """The sentence about a file that is larger than `MEASURED_FILE`."""
    return (
        f"{name} has {size / 1e6:.0f} MB, far more than spectra need (at most {MEASURED_FILE / 1e6:.0f} MB are read); "
        "give a file with spectra, as text."
    )
