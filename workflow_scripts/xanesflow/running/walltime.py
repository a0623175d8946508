"""How long a job may still run, so that it can stop itself before the cluster stops it.

A signal before the limit (`sbatch --signal`) would not do instead: it could end what is running, but not keep a job
from starting sites that do not fit into the time that is left, and their core hours would be lost.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import quoted
from xanesflow.running import slurm

JOB_END = "XANESFLOW_JOB_END"
"""Environment variable with the end of the job's time, in seconds since 1970. Set it in the submit script if your batch
system is not Slurm."""

MARGIN = 60.0
"""A job stops this many seconds before its end; a short job stops after nine tenths of the time that it has."""


class Limit:
    """The end of a job's time, and whether another piece of work still fits before it.

    Args:
        end: seconds since 1970; None: the job has no limit.
    """

    def __init__(self, end: float | None) -> None:
        self._begin = time.time()
        self._end = None if end is None else end - min(MARGIN, max(end - self._begin, 0.0) / 10)
        self._lock = threading.Lock()
        self._started = 0
        self._spent = self._planned = 0.0  # seconds that finished work took, and that it was expected to take
        self.reason: str | None = None

    @classmethod
    def of_this_job(cls) -> Limit:
        """Find the limit of the cluster job that this process runs in, if it can be known.

        Raises:
            XanesflowError: the environment variable `JOB_END` is no number.
        """
        given = os.environ.get(JOB_END, "").strip()
        if not given:
            return cls(slurm.job_end())
        try:
            end = float(given)
        except ValueError:
            end = math.nan
        if not math.isfinite(end):
            raise XanesflowError(
                f"The environment variable {JOB_END} is {quoted(given)}, which is no number; set it to the end of the "
                "job's time in seconds since 1970, or unset it."
            )
        return cls(end)

    def over(self) -> bool:
        """Return whether it is time to stop."""
        return self._end is not None and time.time() >= self._end

    def learn(self, spent: float, expected: float) -> None:
        """Record how many seconds a piece of work took, and how many it was expected to take."""
        with self._lock:
            self._spent, self._planned = self._spent + spent, self._planned + expected

    def may_start(self, expected: float, workers: int = 1) -> bool:
        """Return whether work of the expected seconds, corrected by what was learned so far, may start.

        The first piece of each worker may always start. Otherwise a job too short for it would never make progress.
        """
        if self.reason is not None or self.over():
            return False
        with self._lock:
            likely = expected * (self._spent / self._planned if self._planned else 1.0)
            if self._end is not None and self._started >= workers and time.time() + likely > self._end:
                return False
            self._started += 1
        return True

    def why_stopped(self) -> str:
        """Explain why a job stopped before it was done, as part of a sentence."""
        if self.reason is None and not self.over():
            return "what is left takes longer than its time allows"
        return self.reason or "its time is nearly over"

    @contextmanager
    def watched(self, stop: threading.Event) -> Iterator[None]:
        """Set `stop` when the time is nearly over, or when the job is asked to end (SIGTERM)."""
        done = threading.Event()

        def end(reason: str) -> None:
            self.reason = self.reason or reason
            stop.set()

        def watch() -> None:
            assert self._end is not None
            while not done.wait(min(max(self._end - time.time(), 0.0), 60.0)):  # the clock may be set meanwhile
                if self.over():
                    end("its time is nearly over")
                    return

        def asked(number: int, _: Any) -> None:
            end(f"it was asked to end ({signal.Signals(number).name})")

        if self._end is not None:
            threading.Thread(target=watch, daemon=True).start()
        main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, asked) if main else None
        try:
            yield
        finally:
            done.set()
            if main:
                signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
