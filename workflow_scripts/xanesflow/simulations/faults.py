"""Whose fault it is: a site's, which fails that site alone, or the machine's, which stops the job."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.core.sites import Site, site_id
from xanesflow.core.text import one_line

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk without room."""


@contextmanager
def report_site_faults(site: Site) -> Iterator[None]:
    """Whatever an engine stumbles over in one structure fails that site alone; faults of the machine go on."""
    try:
        yield
    except (FailedRunError, OSError):
        raise
    except XanesflowError as error:
        raise FailedRunError("cannot_simulate", str(error)) from None
    except Exception as error:
        log.warning("%s: a fault of the engine", site_id(*site), exc_info=True)
        raise FailedRunError("engine_failed", f"{type(error).__name__}: {one_line(error)}") from None


@contextmanager
def report_full_disk(label: str) -> Iterator[None]:
    """A full disk ends the job in a sentence; `label` names it."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f" at {error.filename}" if error.filename else ""
        raise XanesflowError(
            f"{label}: the disk is full{where} ({error.strerror}); make room and run again, finished sites are kept."
        ) from None
