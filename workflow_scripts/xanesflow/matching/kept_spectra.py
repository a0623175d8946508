"""Compute the sites of a structure, but take those from the user's cache that were computed before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xanesflow.codes.quick_look import QuickLook
from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.core.parallel import cores
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum, spectrum_key, structure_hash
from xanesflow.spectra.compute_sites import SiteResult, compute_sites
from xanesflow.structures.choose_site import Absorber, Request


def compute_or_take(
    request: Request,
    look: QuickLook,
    cache: Path | None,
    *,
    show_message: Callable[[Absorber, str], None] = lambda site, message: None,
    done: Callable[[SiteResult], None] = lambda outcome: None,
) -> list[SiteResult]:
    """Compute spectra, and keep each as soon as it is there, where `xanesflow match` finds it too.

    What the engine said about a run is kept with it. The library that comes with the package is not used: its spectra
    are rounded, and say nothing about their runs.

    Args:
        request: structure, element and atoms.
        look: level of theory.
        cache: folder of computed spectra; None: the user's.
        show_message: as for `compute_sites`.
        done: called with each site, those that were kept first, whose `seconds` are 0.

    Returns:
        The outcomes in the order of the sites.

    Raises:
        XanesflowError: the engine's programs are missing.
        OSError: the cache cannot be written.
    """
    settings = look.engine.settings()
    store = SpectrumStore(look.theory.name, cache, shipped=Path())
    cells = zip(request.structures, request.materials, strict=True)
    hashes = {cell: structure_hash(each.structure) for cell, each in cells}
    keys = {site: spectrum_key(hashes[site.cell], site.index, settings) for site in request.sites}
    outcomes: dict[Absorber, SiteResult] = {}

    def end(outcome: SiteResult) -> None:
        outcomes[outcome.site] = outcome
        result = outcome.result
        if outcome.seconds and result is not None and result.background is not None:
            kept = StoredSpectrum(result.energy_ev, result.cross_section, result.background, "", result.record)
            store.put(keys[outcome.site], kept)
        done(outcome)

    for site in request.sites:
        found = store.get(keys[site])
        if found is not None and not found.failure and found.record is not None:
            spectrum = SiteSpectrum(found.energy_ev, found.cross_section, found.record, found.background)
            end(SiteResult(site, spectrum, "", 0.0))
    lacking = [site for site in request.sites if site not in outcomes]
    workers = max(1, min(cores(), len(lacking)))
    compute_sites(request.structures, lacking, look, workers=workers, show_message=show_message, done=end)
    return [outcomes[site] for site in request.sites]
