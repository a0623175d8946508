"""Work shared among processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ALONE_SECONDS = 1.0
"""Of work that this process does by itself before it starts others, which takes them as long: they import anew."""


def map_in_processes(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Give `function(item)` for each item, in the order of the items, each as soon as it is there.

    The processes are joblib's loky: unlike multiprocessing's spawn they do not run the main module again, which in a
    Snakemake script would start the whole computation anew; unlike its fork they do not copy running threads; and
    they end by themselves when the process that started them was killed. They are started once the first items have
    taken `ALONE_SECONDS` here, and there are more.

    Args:
        function: at the top level of a module (or a `functools.partial` of such a one).
        items: what to call it with.
        workers: processes; 1: all is done in this one.
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
    from joblib import Parallel, delayed  # half a second, for nothing where this process was enough

    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator", pre_dispatch="2*n_jobs")
    yield from pool(delayed(function)(item) for item in left)
