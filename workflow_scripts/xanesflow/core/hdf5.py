"""Open HDF5 files for reading, and tell a locked file from a damaged one."""

from __future__ import annotations

import errno
from pathlib import Path

import h5py

from xanesflow.core.errors import XanesflowError


def open_hdf5(path: str | Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        XanesflowError: another program has it open for writing, or its file system has no locks.
        OSError: it cannot be opened for another reason, such as damage.
    """
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if "unable to lock file" not in str(error):
            raise
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise XanesflowError(
                f"{path} is locked: another program has it open for writing; close it there, or wait until it is done."
            ) from None
        raise XanesflowError(
            f"{path} cannot be locked, since its file system has no locks; set HDF5_USE_FILE_LOCKING=FALSE in the "
            "environment, and write to the file from one program at a time."
        ) from None
