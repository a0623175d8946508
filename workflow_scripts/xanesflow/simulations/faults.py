"""Whose fault an error is: a fault of one site fails that site alone, a fault of the machine stops the job."""

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
"""Error numbers of a full disk."""


@contextmanager
def report_site_faults(site: Site) -> Iterator[None]:
    """Within the block, any error of the engine fails this site alone; errors of the machine pass through."""
    try:
        yield
    except (FailedRunError, OSError):
        raise
    except XanesflowError as error:
        raise FailedRunError("cannot_simulate", str(error)) from None
    except Exception as error:
        log.warning("%s: unexpected error of the engine", site_id(*site), exc_info=True)
        raise FailedRunError("engine_failed", f"{type(error).__name__}: {one_line(error)}") from None


@contextmanager
def report_full_disk(label: str) -> Iterator[None]:
    """Report a full disk within the block in one sentence, which ends the job; `label` names the job."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f" at {error.filename}" if error.filename else ""
        raise XanesflowError(
            f"{label}: the disk is full{where} ({error.strerror}); set TMPDIR to another folder if sites run there, or "
            "make room and run again, finished sites are kept."
        ) from None
