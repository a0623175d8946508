"""Share work among processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ALONE_SECONDS = 1.0
"""This process works alone for so long before it starts others, whose own imports take about as long."""


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # macOS has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_processes(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the order of the items, as soon as each result is ready.

    The processes are those of joblib's loky. Unlike multiprocessing's spawn, they do not run the main module again,
    which in a Snakemake script would restart the whole computation. Unlike its fork, they do not copy running threads.
    They also end by themselves if their parent is killed. They start only when the first items have taken
    `ALONE_SECONDS` in this process and more items are left; joblib sends quick items in batches.

    Args:
        function: defined at the top level of a module (or a `functools.partial` of such a function).
        items: its arguments, one for each call.
        workers: number of processes; 1: this process does everything.
    """
    left = iter(items)
    spent = 0.0
    for item in left:
        begin = time.perf_counter()
        result = function(item)
        spent += time.perf_counter() - begin
        yield result
        if workers > 1 and spent > ALONE_SECONDS:
            break
    else:
        return
    from joblib import Parallel, delayed  # takes half a second, so only if it is needed

    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator", pre_dispatch="2*n_jobs")
    yield from pool(delayed(function)(item) for item in left)
