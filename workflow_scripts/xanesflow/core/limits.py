"""The largest, deepest and most that is read, by kind of file: far beyond honest files, and refused in seconds."""

ARCHIVE_MEMBER = 64 * 2**20
"""Bytes of one file of a run, in a folder or packed. A file of a FEFF run has some 10 kB."""

RUN_FILE = 2**30
"""Bytes of one file in a chunk of finished runs; an OUTCAR of a large supercell has some 100 MB."""

ARCHIVE_HEADER = 2**20
"""Bytes of names that a header of a tar announces."""

RECORD = 4 * 2**20
"""Bytes of a run.json, and of another record that the workflow keeps of a run or a chunk; one has some 5 kB."""

STRUCTURE_FILE = 16 * 2**20
"""Bytes of a structure file, also unpacked; 100,000 atoms take about 6 MB."""

PLACES = 2_000
"""Places, whole or partly occupied, of a disordered crystal and of each cell that represents it."""

ATOMS = 5_000
"""Atoms of a cell; the largest of the published dataset has a few hundred. The symmetry of 4,096 takes up to 6 s."""

MEASURED_FILE = 20_000_000
"""Bytes of a file of measured spectra, and of its text in columns; a spectrum has about 100 kB."""

MEASURED_LINES = 200_000
"""Lines of a text in columns; the longest scans have some 10,000."""

MEASURED_UNPACKED = 200_000_000
"""Bytes of a compressed Athena project, unpacked; one of hundreds of spectra has a few MB."""

SPARE_OF_ARRAYS = 64 * 2**20
"""Bytes that an array of a NumPy or HDF5 file may have however small the file; beyond, `PACKING_OF_ARRAYS` counts."""

PACKING_OF_ARRAYS = 50
"""How many times larger than packed an array may be: than its part of a NumPy file, or than the whole HDF5 file.
Compressed spectra and features shrink to a half."""

ARRAYS_OF_NPZ = 8 * 2**30
"""Bytes of all arrays of a NumPy file, unpacked. The published training data of all subsets has 0.2 GiB."""

NAMES_OF_NPZ = 1000
"""Arrays of a NumPy file."""

ARRAY_OF_HDF5 = 8 * 2**30
"""Bytes of one array of an HDF5 file, unpacked."""

DEPTH_OF_HDF5 = 8
"""Groups in one another; the files of the workflow have three."""

OBJECTS_OF_HDF5 = 2_000_000
"""Groups and arrays of an HDF5 file; a dataset has one for each structure."""

CONFIG_FILE = 2**20
"""Bytes of a configuration file."""

VALUES_OF_CONFIG = 200_000
"""Keys and values of a configuration, with each use of an anchor counted again."""

INDENT_OF_YAML = 400
"""Spaces and dashes before the first word of a line of YAML."""

DEPTH_OF_TEXT = 100
"""Brackets in one another in JSON, YAML and Athena projects; a structure has five."""


def structure_file_too_large(name: str, size: int) -> str:
    """The sentence about a file that is larger than `STRUCTURE_FILE`."""
    return f"{name} has {size:,} bytes, and the limit is {STRUCTURE_FILE:,}."


def measured_file_too_large(name: str, size: int) -> str:
    """The sentence about a file that is larger than `MEASURED_FILE`."""
    return (
        f"{name} has {size / 1e6:.0f} MB, far more than spectra need (at most {MEASURED_FILE / 1e6:.0f} MB are read); "
        "give a file with spectra, as text."
    )
