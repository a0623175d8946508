"""Get the spectra of candidates: from the store where they are, else computed with the engine of a level of theory."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.engine import Engine
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.registry import computed, engine_of, reader_of, theories, theory_of
from xanesflow.codes.run_engine import run_engine
from xanesflow.core.errors import FailedRunError, StoppedError, XanesflowError
from xanesflow.core.text import listing, one_line
from xanesflow.matching.candidates import Candidate
from xanesflow.matching.choice_model import CALIBRATIONS
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum, spectrum_key, structure_hash

_POLL = 0.2  # seconds
_PASSING = ("timed_out", "killed", "engine_failed")
"""Failures that another try may not have, such as for want of memory or disk; they are not kept."""


def default_theory() -> str:
    """The level of theory that computes candidates unless another is named: the last registered with a calibration."""
    return [each.name for each in theories() if (CALIBRATIONS / f"{each.name}.json").is_file()][-1]


@dataclass(frozen=True)
class Site:
    """A site of a candidate.

    Attributes:
        structure: pymatgen's JSON.
        material_id: the candidate's id.
        element: symbol of the absorber.
        index: 0-based index of the absorber.
        key: of its spectrum in the store.
    """

    structure: str
    material_id: str
    element: str
    index: int
    key: str


@dataclass(frozen=True, eq=False)
class SpectrumPlan:
    """The spectra of some candidates: which are known, and which must be computed.

    Attributes:
        theory: level of theory.
        sites: of all candidates, in their order.
        known: spectra by key.
    """

    theory: str
    sites: tuple[Site, ...]
    known: dict[str, StoredSpectrum]

    @property
    def missing(self) -> list[Site]:
        """Sites without a spectrum; each key once."""
        return list({site.key: site for site in self.sites if site.key not in self.known}.values())

    def minutes(self, workers: int) -> float | None:
        """Expected minutes of computing; None if no run times of the theory are known."""
        hours = theory_of(self.theory).core_hours
        return None if hours is None else 60 * hours * len(self.missing) / min(workers, max(len(self.missing), 1))


def make_engine(theory: str) -> Engine:
    """The engine of a level of theory with its default options.

    Raises:
        XanesflowError: this version cannot run it.
    """
    if theory not in computed():
        raise XanesflowError(f"There is no level of theory {theory} to compute with; use {listing(computed())}.")
    return engine_of(theory, {})


def plan_spectra(candidates: Sequence[Candidate], engine: Engine, store: SpectrumStore) -> SpectrumPlan:
    """Look up what the store has.

    Args:
        candidates: of one element.
        engine: computes what is missing.
        store: of the engine's theory.

    Raises:
        XanesflowError: the engine is missing or cannot run on this machine.
    """
    settings = engine.settings()
    sites, known = [], {}
    for candidate in candidates:
        structure = candidate.material.structure
        hashed = structure_hash(structure)
        for index, _ in candidate.sites:
            key = spectrum_key(hashed, index, settings)
            sites.append(Site(structure, candidate.id, candidate.element, index, key))
            if key not in known and (kept := store.get(key)) is not None:
                known[key] = kept
    return SpectrumPlan(engine.theory, tuple(sites), known)


def compute_missing(
    plan: SpectrumPlan,
    engine: Engine,
    store: SpectrumStore,
    *,
    workers: int,
    done: Callable[[Site, StoredSpectrum], None] = lambda site, spectrum: None,
) -> dict[str, StoredSpectrum]:
    """Compute the missing spectra and keep each as soon as it is there.

    A site that fails does not stop the others. However this function ends, it stops what it started.

    Args:
        plan: as `plan_spectra` made it.
        engine: of its theory.
        store: of its theory.
        workers: sites at a time.
        done: called in this thread after each site.

    Returns:
        All spectra of the plan, by key.
    """
    spectra = dict(plan.known)
    for site, spectrum, passing in _run_all(plan.missing, engine, workers):
        spectra[site.key] = spectrum
        if not passing:
            store.put(site.key, spectrum)
        done(site, spectrum)
    return spectra


def _run_all(sites: Sequence[Site], engine: Engine, workers: int) -> Iterator[tuple[Site, StoredSpectrum, bool]]:
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="xanesflow_", ignore_cleanup_errors=True) as scratch:
        pool = ThreadPoolExecutor(max(workers, 1), thread_name_prefix="site")
        try:
            running = {
                pool.submit(_outcome, site, engine, Path(scratch) / str(number), stop): site
                for number, site in enumerate(sites)
            }
            while running:
                ended, _ = wait(running, _POLL, FIRST_COMPLETED)
                for future in ended:
                    yield (running.pop(future), *future.result())
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _outcome(site: Site, engine: Engine, folder: Path, stop: threading.Event) -> tuple[StoredSpectrum, bool]:
    """The spectrum of a site, and whether another try may end otherwise."""
    try:
        return run_site(site, engine, folder, stop), False
    except FailedRunError as error:
        return StoredSpectrum.failed(one_line(error)), error.reason in _PASSING
    except StoppedError:
        return StoredSpectrum.failed("stopped"), True
    except (XanesflowError, OSError) as error:
        return StoredSpectrum.failed(one_line(error)), True
    except Exception as error:
        said = f"a fault of xanesflow, please report it: {type(error).__name__} {one_line(error)}"
        return StoredSpectrum.failed(said), True


def run_site(site: Site, engine: Engine, folder: Path, stop: threading.Event) -> StoredSpectrum:
    """Compute a site in a folder.

    Raises:
        FailedRunError: the run gave no good spectrum.
        XanesflowError: the program cannot run, or the theory's spectra have no background.
        StoppedError: `stop` was set.
    """
    structure = Structure.from_dict(json.loads(site.structure))
    folder.mkdir(parents=True)
    ended = run_engine(engine, structure, site.index, folder, stop)
    if ended.from_outside:
        raise FailedRunError("killed", f"it was {ended.from_outside}")
    engine.validate(folder)
    names = (name for name in theory_of(engine.theory).files if (folder / name).is_file())
    run = FinishedRun(site.material_id, site.index, {name: (folder / name).read_bytes() for name in names})
    spectrum = reader_of(engine.theory)(run, None, element=site.element, structure=structure)
    background = getattr(spectrum, "background", None)
    if background is None:
        raise XanesflowError(
            f"{engine.theory} gives no background, so its spectra cannot be normalised by themselves; use another "
            "level of theory"
        )
    return StoredSpectrum(spectrum.energy_ev, spectrum.cross_section, np.asarray(background, dtype=np.float64))
