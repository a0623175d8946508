"""Get the candidates that scans are compared with, and their spectra: computed, predicted, or measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.parallel import cores
from xanesflow.core.text import about_time, listing, plural
from xanesflow.matching.candidates import Candidate, Narrowing, find_candidates
from xanesflow.matching.choice_model import MEASURED, MatchCalibration, read_match_calibration
from xanesflow.matching.compute_candidates import (
    DEFAULT_THEORY,
    Site,
    SpectrumPlan,
    compute_missing,
    make_engine,
    plan_spectra,
)
from xanesflow.matching.mixtures import MAX_SHIFT_EV, Standard
from xanesflow.matching.rank_candidates import check_k_edge
from xanesflow.matching.ranking import Reference
from xanesflow.matching.references import (
    computed_references,
    computed_standards,
    load_predictor,
    material_spectra,
    measured_references,
    predicted_spectra,
)
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum, default_folder
from xanesflow.measured import MeasuredSpectrum


@dataclass(frozen=True)
class Wanted:
    """Which candidates, and where their spectra come from."""

    structures: tuple[str, ...]  # as on the command line
    theory: str = DEFAULT_THEORY  # level of theory to compute with
    models: tuple[Path, ...] = ()  # files of models that predict; empty: the candidates are computed
    measured: bool = False  # whether the candidates are measured spectra
    narrowing: Narrowing = field(default_factory=Narrowing)  # which candidates are kept
    cache: Path | None = None  # folder of kept spectra; None: the user's
    workers: int | None = None  # sites at a time; None: one for each core

    @property
    def model(self) -> str:
        """Names of the models that predict; empty if the candidates are computed or measured."""
        return listing(list(map(str, self.models)))


@dataclass(frozen=True)
class Listener:
    """What hears how the work goes on."""

    say: Callable[[str], object] = lambda sentence: None  # gets sentences on what is done
    warn: Callable[[str], object] = lambda sentence: None  # gets cautions, and sentences on what failed
    progress: Callable[[int, int], object] = lambda done, of: None  # gets how many sites are done, and of how many


def one_element(spectra: Sequence[MeasuredSpectrum]) -> str:
    """The element whose K edge all scans are of.

    Raises:
        XanesflowError: they are of several elements, or of another edge.
    """
    for spectrum in spectra:
        check_k_edge(spectrum)
    elements = {spectrum.element for spectrum in spectra}
    if len(elements) > 1:
        raise XanesflowError(f"The scans are of {' and '.join(sorted(elements))}; use those of one element at a time.")
    return elements.pop()


def get_references(
    element: str, wanted: Wanted, listener: Listener
) -> tuple[list[Reference], MatchCalibration, list[str]]:
    """The candidates with their spectra, what was learned about them, and sentences on those left out.

    Args:
        element: symbol of the absorber.
        wanted: which.
        listener: hears of it.

    Raises:
        XanesflowError: there are none.
    """
    if wanted.measured:
        references, failed = measured_references([Path(each) for each in wanted.structures], element)
        listener.say(f"{plural(len(references), 'measured spectrum', 'measured spectra')} of {element}")
        return references, read_match_calibration(MEASURED), failed
    calibration = read_match_calibration(wanted.theory)
    model = load_predictor(wanted.models, element) if wanted.models else None  # wrong ones are found before the work
    candidates, refused = find_candidates(wanted.structures, element, wanted.narrowing)
    spectra = compute_candidates(candidates, wanted, listener)
    folder = wanted.cache or default_folder()
    found, failed = material_spectra(candidates, *spectra)
    if model and found:
        found, lacking = predicted_spectra(candidates, found, *model)
        failed += lacking
    return computed_references(candidates, found, folder), calibration, refused + failed


def get_standards(
    element: str,
    given: tuple[str, ...],
    listener: Listener,
    *,
    max_shift_ev: float = MAX_SHIFT_EV,
    computed: bool = False,
    cache: Path | None = None,
) -> tuple[list[Standard], str]:
    """The standards of a mixture, and a remark on how far they can be trusted.

    Args:
        element: symbol of the absorber.
        given: files and folders of measured spectra; structures if they are computed.
        listener: is warned of those left out.
        max_shift_ev: how far measured standards may be shifted.
        computed: whether the standards are structures.
        cache: of computed spectra.

    Raises:
        XanesflowError: there are none.
    """
    if computed:
        references, calibration, failed = get_references(element, Wanted(given, cache=cache), listener)
        standards = computed_standards(references, element, calibration)
        share = calibration.known.get("right_pair")
        often = "" if share is None else f"; in trials, the right pair came first in only {share:.0%}"
        remark = f"Computed standards do not identify mixtures{often}. Use measured standards for that."
    else:
        references, failed = measured_references([Path(each) for each in given], element)
        reach = (-max_shift_ev, max_shift_ev)
        standards = [
            Standard(each.id, each.curve.energy_ev, each.curve.values, reach, each.scan) for each in references
        ]
        remark = ""
    for sentence in failed:
        listener.warn(f"Left out: {sentence}")
    return standards, remark


def compute_candidates(
    candidates: Sequence[Candidate], wanted: Wanted, listener: Listener
) -> tuple[SpectrumPlan, dict[str, StoredSpectrum]]:
    """Say what it costs, then get the spectra of all sites."""
    engine = make_engine(wanted.theory, candidates[0].element)
    store = SpectrumStore(wanted.theory, wanted.cache)
    plan = plan_spectra(candidates, engine, store)
    missing, workers = plan.missing, wanted.workers or cores()
    minutes = plan.minutes(workers)
    kept = len(plan.sites) - len(missing)
    about = "" if minutes is None else f", {about_time(60 * minutes)}" if missing else ""
    listener.say(
        f"{plural(len(candidates), 'candidate')} of {candidates[0].element} with {plural(len(plan.sites), 'site')}: "
        f"{len(missing)} to compute with {wanted.theory}{about}, {kept} kept"
    )
    if not missing:
        return plan, dict(plan.known)
    ended = 0

    def done(site: Site, spectrum: StoredSpectrum) -> None:
        nonlocal ended
        ended += 1
        listener.progress(ended, len(missing))
        if spectrum.failure:
            listener.warn(f"✗ {site.material_id}, site {site.index}: {spectrum.failure}")

    return plan, compute_missing(plan, engine, store, workers=workers, done=done)
