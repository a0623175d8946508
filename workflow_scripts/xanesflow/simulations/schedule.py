"""Run tasks a few at a time, where a result may add tasks: a material's shared step comes before its sites."""

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
    """Yield the results of tasks as they arrive; tasks that a result adds run before those that still wait.

    So a material is finished before the next one begins, as long as this keeps all workers busy.

    Args:
        pool: runs the tasks.
        work: does one task.
        first: the tasks to begin with.
        workers: tasks at a time.
        then: gives the tasks that a result adds.
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
            begin()  # before the yield, so that a slow consumer keeps no worker waiting
            yield result
