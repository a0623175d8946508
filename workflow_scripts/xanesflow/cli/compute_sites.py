"""Compute sites in parallel, each in a separate process that ends with this one (see `running.kill_on_exit`)."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from xanesflow.cli.choose_site import Absorber
from xanesflow.codes.feff8l import EngineSettings, XanesResult
from xanesflow.codes.feff8l.engine import Feff8lEngine
from xanesflow.core.errors import FailedRunError, StoppedError, XanesflowError
from xanesflow.core.text import one_line
from xanesflow.running.process import run_command

_POLL = 0.15  # seconds
_TAIL = 4096  # bytes at the end of a log, which hold its last line


@dataclass(frozen=True)
class SiteResult:
    """Outcome of a site.

    Attributes:
        site: the atom.
        result: its spectrum; None if it failed.
        error: why it failed, without a full stop; empty if it has a spectrum.
        seconds: time that it took.
    """

    site: Absorber
    result: XanesResult | None
    error: str
    seconds: float


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def compute_sites(
    structures: Mapping[int, Structure],
    sites: Sequence[Absorber],
    settings: EngineSettings,
    *,
    workers: int,
    show_message: Callable[[Absorber, str], None] = lambda site, message: None,
    done: Callable[[SiteResult], None] = lambda outcome: None,
) -> list[SiteResult]:
    """Compute spectra; a failed site does not stop the others.

    However this function ends, even by Ctrl-C, it stops everything that it started and removes its scratch folder.

    Args:
        structures: ordered structures, by `Absorber.cell`.
        sites: atoms of them.
        settings: of the embedded engine.
        workers: sites at a time.
        show_message: called in this thread with messages about a site, first when it begins.
        done: called in this thread as soon as a site has ended.

    Returns:
        The outcomes in the order of the sites.
    """
    stop = threading.Event()
    outcomes: dict[Absorber, SiteResult] = {}
    with tempfile.TemporaryDirectory(prefix="xanesflow_", ignore_cleanup_errors=True) as scratch:
        folders = {site: Path(scratch) / f"{site.cell}_{site.index}" for site in sites}
        shown: dict[Absorber, str] = {}
        with ThreadPoolExecutor(workers, thread_name_prefix="site") as pool:
            try:
                running = {
                    pool.submit(_outcome, structures[site.cell], site, settings, folders[site], stop): site
                    for site in sites
                }
                while running:
                    ended, _ = wait(running, _POLL, FIRST_COMPLETED)
                    for future in ended:
                        outcome = outcomes[running.pop(future)] = future.result()
                        done(outcome)
                    for future, site in running.items():
                        message = _message(future, folders[site])
                        if message and message != shown.get(site):
                            shown[site] = message
                            show_message(site, message)
            finally:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
    return [outcomes[site] for site in sites]


def compute_site(
    structure: Structure, site_index: int, settings: EngineSettings, folder: Path, stop: threading.Event
) -> XanesResult:
    """Compute one site with the embedded engine as the workflow runs it, in a separate process.

    Args:
        structure: an ordered structure.
        site_index: 0-based index of the absorber.
        settings: of the embedded engine.
        folder: empty folder for all files of the run.
        stop: ends the run when it is set.

    Raises:
        FailedRunError: the run gave no good spectrum; says why.
        XanesflowError: the engine cannot compute the site; says why.
        StoppedError: `stop` was set.
    """
    engine = Feff8lEngine(settings)
    engine.write_inputs(folder, structure, site_index)
    log = folder / engine.log_name
    ended = run_command(engine.command(folder), folder, log=log, time_limit=engine.time_limit, stop=stop)
    if ended.timed_out:
        raise FailedRunError("timed_out", f"it did not end within {engine.time_limit:.0f} s")
    engine.validate(folder)
    energy_ev, cross_section, background = np.loadtxt(folder / "xmu.dat", unpack=True, encoding="utf-8")
    return XanesResult(energy_ev, cross_section, background, engine.record(folder))


def _outcome(
    structure: Structure, site: Absorber, settings: EngineSettings, folder: Path, stop: threading.Event
) -> SiteResult:
    begin = time.monotonic()
    result, failure = None, ""
    try:
        folder.mkdir()
        result = compute_site(structure, site.index, settings, folder, stop)
    except StoppedError:
        failure = "stopped"
    except (FailedRunError, XanesflowError) as error:
        failure = one_line(error)
    except OSError as error:
        failure = f"the system said: {error.strerror or error}"
    except Exception as error:
        failure = f"a fault of xanesflow, please report it: {type(error).__name__} {one_line(error)}"
    return SiteResult(site, result, failure, time.monotonic() - begin)


def _message(future: Future[SiteResult], folder: Path) -> str:
    """The engine's last message about a site; empty if the site has not begun."""
    if not future.running():
        return ""
    try:
        with (folder / Feff8lEngine.log_name).open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - _TAIL, 0))
            lines = log.read().decode("utf-8", errors="replace").splitlines(keepends=True)
    except OSError:
        lines = []
    whole = [line.strip() for line in lines if line.endswith("\n") and line.strip()]
    if whole and whole[-1].startswith(("done in", "ERROR:")):
        return ""  # `SiteResult` reports the end
    return whole[-1][:200] if whole else "starting"
