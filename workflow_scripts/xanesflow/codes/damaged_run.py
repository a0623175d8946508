"""Read the files of runs that others made: whatever they make a library raise is a reason to leave the run out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadRunError, LibraryError

log = logging.getLogger(__name__)


@contextmanager
def explain_bad_run() -> Iterator[None]:
    """Refuse a run as unreadable where its files make its reader raise an error that it does not know.

    Raises:
        BadRunError: the run cannot be read; holds the reason.
    """
    try:
        yield
    except LibraryError:
        raise
    except Exception as error:
        log.debug("a run cannot be read", exc_info=True)
        raise BadRunError("unreadable", f"its files are not what the code writes: {what_is_wrong(error)}") from error
