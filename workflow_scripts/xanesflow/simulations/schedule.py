"""Tasks a few at a time, some of which bring others: a material's shared step before the sites that need it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_turn(
    pool: Executor,
    work: Callable[[Task], Result],
    first: Iterable[Task],
    workers: int,
    then: Callable[[Result], Iterable[Task]],
) -> Iterator[Result]:
    """Give the results of tasks as they come; what a result brings is done before what still waits.

    So a material is finished before the next one is begun, as far as there is work for all workers.

    Args:
        pool: where the tasks are done.
        work: does one.
        first: the tasks to begin with.
        workers: tasks at a time.
        then: the tasks that a result brings.
    """
    ready, running = deque(first), set[Future[Result]]()

    def begin() -> None:
        while ready and len(running) < workers:
            running.add(pool.submit(work, ready.popleft()))

    begin()
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            running.remove(future)
            result = future.result()
            ready.extendleft(reversed(list(then(result))))
            begin()  # whoever takes the results keeps nobody waiting
            yield result
