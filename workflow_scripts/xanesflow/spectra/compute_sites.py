"""Compute sites in parallel, each in a separate process that ends with this one (see `running.kill_on_exit`)."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.quick_look import QuickLook
from xanesflow.codes.run_engine import SiteSpectrum, run_engine
from xanesflow.core.errors import FailedRunError, StoppedError, XanesflowError
from xanesflow.core.reasons import MAY_SUCCEED
from xanesflow.core.text import one_line
from xanesflow.structures.choose_site import Absorber

_POLL = 0.15  # seconds
_SHOWN = 200  # characters of a message


@dataclass(frozen=True)
class SiteResult:
    """Outcome of a site."""

    site: Absorber  # the atom
    result: SiteSpectrum | None  # its spectrum; None if it failed
    error: str  # why it failed, without a full stop; empty if it has a spectrum
    seconds: float  # time that it took
    # whether it failed for something that another try may not meet, such as want of memory or disk
    passing: bool = False


def compute_sites(
    structures: Mapping[int, Structure],
    sites: Sequence[Absorber],
    look: QuickLook,
    *,
    workers: int,
    keep: Path | None = None,
    show_message: Callable[[Absorber, str], None] = lambda site, message: None,
    done: Callable[[SiteResult], None] = lambda outcome: None,
) -> list[SiteResult]:
    """Compute spectra; a failed site does not stop the others.

    However this function ends, even by Ctrl-C or SIGTERM, it stops everything that it started, and removes its scratch
    folder.

    Args:
        structures: ordered structures, by `Absorber.cell`.
        sites: atoms of them.
        look: level of theory.
        workers: sites at a time.
        keep: where each site's folder goes when it has ended, as `Cu_000`; None: it is removed.
        show_message: called in this thread with messages about a site, first when it begins.
        done: called in this thread as soon as a site has ended.

    Returns:
        The outcomes in the order of the sites.
    """
    stop = threading.Event()
    outcomes: dict[Absorber, SiteResult] = {}
    with _sigterm_interrupts(), tempfile.TemporaryDirectory(prefix="xanesflow_", ignore_cleanup_errors=True) as scratch:
        folders = {site: Path(scratch) / f"{site.cell}_{site.index}" for site in sites}
        shown: dict[Absorber, str] = {}
        with ThreadPoolExecutor(workers, thread_name_prefix="site") as pool:
            try:
                running = {
                    pool.submit(_outcome, structures[site.cell], site, look, folders[site], stop): site
                    for site in sites
                }
                while running:
                    ended, _ = wait(running, _POLL, FIRST_COMPLETED)
                    for future in ended:
                        outcome = outcomes[running.pop(future)] = future.result()
                        if keep is not None and folders[outcome.site].is_dir():
                            shutil.move(folders[outcome.site], keep / outcome.site.folder)
                        done(outcome)
                    for future, site in running.items():
                        message = look.message(folders[site])[:_SHOWN] if future.running() else ""
                        if message and message != shown.get(site):
                            shown[site] = message
                            show_message(site, message)
            finally:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
    return [outcomes[site] for site in sites]


def compute_site(
    structure: Structure, site: Absorber, look: QuickLook, folder: Path, stop: threading.Event
) -> SiteSpectrum:
    """Compute one site as the workflow computes it, in a separate process.

    Args:
        structure: an ordered structure.
        site: the absorber.
        look: level of theory.
        folder: empty folder for all files of the run.
        stop: ends the run when it is set.

    Raises:
        FailedRunError: the run gave no good spectrum; says why.
        XanesflowError: the engine cannot compute the site; says why.
        StoppedError: `stop` was set.
    """
    run_engine(look.engine, structure, site.index, folder, stop)
    return look.read(folder, structure, site.index)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM interrupt as Ctrl-C does, so that what was begun is cleaned up; unless it is handled already."""

    def interrupt(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
        raise KeyboardInterrupt

    free = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if free:
        signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if free:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _outcome(structure: Structure, site: Absorber, look: QuickLook, folder: Path, stop: threading.Event) -> SiteResult:
    begin = time.monotonic()
    result, failure, passing = None, "", True
    try:
        folder.mkdir()
        result = compute_site(structure, site, look, folder, stop)
    except StoppedError:
        failure = "stopped"
    except FailedRunError as error:
        failure, passing = one_line(error), error.reason in MAY_SUCCEED
    except XanesflowError as error:
        failure = one_line(error)
    except OSError as error:
        failure = f"the system said: {error.strerror or error}"
    except Exception as error:
        failure = f"a fault of xanesflow, please report it: {type(error).__name__} {one_line(error)}"
    return SiteResult(site, result, failure, time.monotonic() - begin, passing and result is None)
