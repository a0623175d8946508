"""Get the spectra of candidates: from the store where they are, else computed with the engine of a level of theory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pymatgen.core import Structure

from xanesflow.codes.engine import Engine
from xanesflow.codes.quick_look import QuickLook
from xanesflow.codes.registry import computed, engine_of, theory_of
from xanesflow.config.default_engine import default_engine_options
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import listing
from xanesflow.matching.candidates import Candidate
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum, spectrum_key, structure_hash
from xanesflow.spectra.compute_sites import SiteResult, compute_sites
from xanesflow.structures.choose_site import Absorber

DEFAULT_THEORY = "FEFF8L"
"""The level of theory that computes candidates unless another is named: the embedded engine."""


@dataclass(frozen=True)
class Site:
    """A site of a candidate."""

    structure: str  # pymatgen's JSON
    material_id: str  # the candidate's id
    element: str  # symbol of the absorber
    index: int  # 0-based index of the absorber
    key: str  # of its spectrum in the store


@dataclass(frozen=True, eq=False)
class SpectrumPlan:
    """The spectra of some candidates: which are known, and which must be computed."""

    theory: str  # level of theory
    sites: tuple[Site, ...]  # of all candidates, in their order
    known: dict[str, StoredSpectrum]  # spectra by key

    @property
    def missing(self) -> list[Site]:
        """Sites without a spectrum; each key once."""
        return list({site.key: site for site in self.sites if site.key not in self.known}.values())

    def minutes(self, workers: int) -> float | None:
        """Expected minutes of computing; None if no run times of the theory are known."""
        hours = theory_of(self.theory).core_hours
        return None if hours is None else 60 * hours * len(self.missing) / min(workers, max(len(self.missing), 1))


def make_engine(theory: str, element: str) -> Engine:
    """The engine of a level of theory with its default options.

    Args:
        theory: name of the level of theory.
        element: symbol of the absorber.

    Raises:
        XanesflowError: this version cannot run it.
    """
    if theory not in computed():
        raise XanesflowError(f"There is no level of theory {theory} to compute with; use {listing(computed())}.")
    return engine_of(theory, default_engine_options(theory, element))


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

    A site that fails does not stop the others. However this function ends, it stops what it started. Failures that
    another try may not have are not kept.

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
    sites = {Absorber(site.element, site.index, 1, number): site for number, site in enumerate(plan.missing)}
    structures = {each.cell: Structure.from_dict(json.loads(site.structure)) for each, site in sites.items()}

    def end(outcome: SiteResult) -> None:
        site, result = sites[outcome.site], outcome.result
        lasting = not outcome.passing
        if result is None:
            spectrum = StoredSpectrum.failed(outcome.error)
        elif result.background is None:
            lasting = False
            spectrum = StoredSpectrum.failed(
                f"{engine.theory} gives no background, so its spectra cannot be normalised by themselves; use another "
                "level of theory"
            )
        else:
            spectrum = StoredSpectrum(result.energy_ev, result.cross_section, result.background)
        spectra[site.key] = spectrum
        if lasting:
            store.put(site.key, spectrum)
        done(site, spectrum)

    compute_sites(structures, list(sites), _EngineLook(engine), workers=max(workers, 1), done=end)
    return spectra


class _EngineLook(QuickLook):
    """Computes with an engine as it is."""

    def __init__(self, engine: Engine) -> None:
        self.theory, self.engine = theory_of(engine.theory), engine
