"""The memory of this machine: how much is free, and how many sites fit into it at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")


def free_memory_mb() -> float | None:
    """Return the memory that is free in MB; None where the system does not say."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return float(kilobytes[0]) / 1000 if kilobytes else None


def sites_that_fit(workers: int, needed_mb: Iterable[float], free_mb: float | None) -> int:
    """Return how many sites may run at a time, so that the largest of them fit into the free memory together.

    Args:
        workers: sites at a time, if memory allows.
        needed_mb: of each site.
        free_mb: free memory; None: not known.

    Returns:
        1 or more: a site that does not fit alone is refused when its turn comes.
    """
    largest = sorted(needed_mb, reverse=True)[:workers]
    while free_mb is not None and len(largest) > 1 and sum(largest) > free_mb:
        largest.pop()
        workers = len(largest)
    return workers
