"""`xanesflow match`: reads the scans, gets the candidates' spectra, shows and writes the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from xanesflow.cli.terminal import say
from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.files import list_files
from xanesflow.core.text import plural, printable
from xanesflow.matching.candidates import Candidate, Narrowing, find_candidates
from xanesflow.matching.choice_model import MatchCalibration, read_calibration
from xanesflow.matching.compute_candidates import (
    Site,
    SpectrumPlan,
    compute_missing,
    default_theory,
    make_engine,
    plan_spectra,
)
from xanesflow.matching.rank_candidates import Match, check_edge, match_spectrum
from xanesflow.matching.ranking import Reference
from xanesflow.matching.references import (
    MEASURED,
    computed_references,
    material_spectra,
    measured_references,
    predicted_spectra,
)
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum, default_folder
from xanesflow.measured import MeasuredSpectrum, Normalisation, Reading, read_measured
from xanesflow.spectra.compute_sites import cores

_SHOWN = 10
_SOON_MINUTES = 0.1


@dataclass(frozen=True)
class Wanted:
    """Which candidates, and where their spectra come from.

    Attributes:
        structures: as on the command line.
        theory: level of theory to compute with.
        models: files of models that predict; empty: the candidates are computed.
        measured: whether the candidates are measured spectra.
        narrowing: which candidates are kept.
        cache: folder of kept spectra; None: the user's.
        workers: sites at a time; None: one for each core.
    """

    structures: tuple[str, ...]
    theory: str = field(default_factory=default_theory)
    models: tuple[Path, ...] = ()
    measured: bool = False
    narrowing: Narrowing = field(default_factory=Narrowing)
    cache: Path | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Outputs:
    """Files to write; None: not that one."""

    output: Path | None = None
    page: Path | None = None
    plot: Path | None = None


def show_match(
    file: Path,
    wanted: Wanted,
    outputs: Outputs,
    *,
    reading: Reading,
    normalisation: Normalisation,
    messages: Console,
    results: Console,
) -> None:
    """Match one scan or several, show the answers, and write them.

    Raises:
        XanesflowError: a scan or a candidate cannot be used, or a result cannot be written.
    """
    _check_outputs(file, wanted, outputs)
    spectra = read_scans([file], reading, normalisation, messages)
    element = one_element(spectra)
    if len(spectra) > 1 and outputs.page:
        raise WrongCallError(f"--page shows one spectrum, and there are {len(spectra)}; use --output and --plot.")
    references, calibration, left_out = get_references(element, wanted, messages, own_of(file, spectra))
    matches = []
    with Progress(console=messages, transient=True, disable=len(spectra) == 1 or not messages.is_terminal) as progress:
        for spectrum in progress.track(spectra, description="matching"):
            matches.append(match_spectrum(spectrum, references, calibration, left_out=left_out))
    if len(matches) == 1:
        _show_one(matches[0], messages, results)
    else:
        results.print(_series_table(matches))
    _write(matches, outputs, results)


def read_scans(
    files: Sequence[Path], reading: Reading, normalisation: Normalisation, messages: Console
) -> list[MeasuredSpectrum]:
    """The spectra of files and of the files of folders; of several, those that cannot be used are named.

    Raises:
        XanesflowError: there is no usable spectrum.
    """
    if len(files) == 1 and not files[0].is_dir():
        return read_measured(files[0], reading, normalisation)
    spectra: list[MeasuredSpectrum] = []
    failed: list[str] = []
    for path in list_files(files):
        try:
            spectra += read_measured(path, reading, normalisation)
        except XanesflowError as error:
            failed.append(str(error))
    for sentence in failed:
        say(messages, f"Left out: {sentence}", style="yellow")
    if not spectra:
        raise XanesflowError(f"None of the {plural(len(failed), 'file')} can be used, for the reasons above.")
    return spectra


def one_element(spectra: Sequence[MeasuredSpectrum]) -> str:
    """The element whose K edge all scans are of.

    Raises:
        XanesflowError: they are of several elements, or of another edge.
    """
    for spectrum in spectra:
        check_edge(spectrum)
    elements = {spectrum.element for spectrum in spectra}
    if len(elements) > 1:
        raise XanesflowError(f"The scans are of {' and '.join(sorted(elements))}; use those of one element at a time.")
    return elements.pop()


def own_of(file: Path, spectra: Sequence[MeasuredSpectrum]) -> tuple[Path, set[str]] | None:
    """What must not be a candidate for itself: the spectra of a file. In a folder, a scan may explain the others."""
    return None if file.is_dir() else (file, {each.source for each in spectra})


def get_references(
    element: str, wanted: Wanted, messages: Console, own: tuple[Path, set[str]] | None
) -> tuple[list[Reference], MatchCalibration, list[str]]:
    """The candidates with their spectra, what was learned about them, and sentences on those left out.

    Raises:
        XanesflowError: there are none.
    """
    if wanted.measured:
        references, failed = measured_references([Path(each) for each in wanted.structures], element, own=own)
        say(messages, f"{plural(len(references), 'measured spectrum', 'measured spectra')} of {element}")
        return references, read_calibration(MEASURED), failed
    calibration = read_calibration(wanted.theory)
    candidates, refused = find_candidates(wanted.structures, element, wanted.narrowing)
    spectra = compute_candidates(candidates, wanted, messages)
    folder = wanted.cache or default_folder()
    found, failed = material_spectra(candidates, *spectra)
    if wanted.models:
        found, lacking = predicted_spectra(candidates, found, wanted.models)
        failed += lacking
        say(messages, "Predicted spectra are normalised by the engine's background; the certainty was learned from "
            f"{wanted.theory} and may not hold for this model.", style="yellow")  # fmt: skip
    return computed_references(candidates, found, folder), calibration, refused + failed


def compute_candidates(
    candidates: Sequence[Candidate], wanted: Wanted, messages: Console
) -> tuple[SpectrumPlan, dict[str, StoredSpectrum]]:
    """Say what it costs, then get the spectra of all sites."""
    engine = make_engine(wanted.theory)
    store = SpectrumStore(wanted.theory, wanted.cache)
    plan = plan_spectra(candidates, engine, store)
    missing, workers = plan.missing, wanted.workers or cores()
    minutes = plan.minutes(workers)
    kept = len(plan.sites) - len(missing)
    about = "" if minutes is None else f", about {_minutes(minutes)}" if missing else ""
    say(
        messages,
        f"{plural(len(candidates), 'candidate')} with {plural(len(plan.sites), 'site')}: {kept} kept, "
        f"{len(missing)} to compute with {wanted.theory}{about}",
        style="bold",
    )
    if not missing:
        return plan, dict(plan.known)
    with Progress(console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task("computing", total=len(missing))

        def done(site: Site, spectrum: StoredSpectrum) -> None:
            progress.advance(task)
            if spectrum.failure:
                say(messages, f"✗ {site.material_id}, site {site.index}: {spectrum.failure}", style="red")

        return plan, compute_missing(plan, engine, store, workers=workers, done=done)


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes >= 1.5 else "a minute" if minutes > _SOON_MINUTES else "some seconds"


def refuse_overwriting(path: Path, spectra: Sequence[Path], structures: Sequence[str] = ()) -> None:
    """Refuse a result that would take the place of something that is read.

    Raises:
        WrongCallError: it is a folder, one of the spectra or structures, or a file of a folder of spectra.
    """
    place = path.resolve()
    given = [each.resolve() for each in (*spectra, *map(Path, structures))]
    folders = [each.resolve() for each in spectra if each.is_dir()]
    if path.is_dir() or place in given or (path.exists() and place.parent in folders):
        raise WrongCallError(f"{path} is a folder or one of the files that are read; name another file.")


def _check_outputs(file: Path, wanted: Wanted, outputs: Outputs) -> None:
    """Raise an error before the work if a result cannot be written under its name."""
    from xanesflow.matching.draw_match import check_plot
    from xanesflow.matching.match_page import check_page
    from xanesflow.matching.write_match import check_output

    checks = ((outputs.output, check_output), (outputs.page, check_page), (outputs.plot, check_plot))
    for path, check in checks:
        if path is None:
            continue
        standards = map(Path, wanted.structures if wanted.measured else ())
        refuse_overwriting(path, [file, *standards], wanted.structures)
        try:
            check(path)
        except XanesflowError as error:
            raise WrongCallError(str(error)) from None


def _show_one(match: Match, messages: Console, results: Console) -> None:
    for remark in match.spectrum.remarks:
        say(messages, f"About the scan: {remark}", style="yellow")
    results.print(_table(match))
    if len(match.rows) > _SHOWN:
        say(results, f"… and {len(match.rows) - _SHOWN} more; --output writes all.")
    for sentence in match.left_out[:_SHOWN]:
        say(messages, f"Left out: {sentence}", style="yellow")
    if len(match.left_out) > _SHOWN:
        say(
            messages,
            f"… and {len(match.left_out) - _SHOWN} more left out; --output FILE.json lists all.",
            style="yellow",
        )
    for sentence in match.warnings:
        say(messages, sentence, style="yellow")
    say(results, match.conclusion, style="bold")


def _table(match: Match) -> Table:
    table = Table(title=escape(printable(match.spectrum.source, 80)), title_justify="left")
    table.add_column("", justify="right")
    table.add_column("id", no_wrap=True)
    table.add_column("formula", no_wrap=True)
    table.add_column("name")
    for name in ("oxidation", "shift", "width", "RMS", "certainty"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in match.rows[:_SHOWN]:
        fit, around = row.likeness, row.reference.surroundings
        state = "" if around is None or around.oxidation_state is None else f"{around.oxidation_state:+.3g}"
        table.add_row(
            str(row.rank),
            escape(printable(row.reference.id, 40)),
            escape(row.reference.formula),
            escape(printable(row.reference.short_name, 32)),
            state,
            f"{fit.shift_ev:+.2f}",
            f"{fit.width_ev:.2f}",
            f"{fit.rms:.3f}",
            f"{row.certainty:.0%}",
        )
    return table


def _series_table(matches: Sequence[Match]) -> Table:
    table = Table("scan", "best candidate", "RMS", "certainty", "what can be said")
    for match in matches:
        first = match.rows[0]
        table.add_row(
            escape(printable(match.spectrum.source, 40)),
            escape(printable(first.reference.short_name, 40)),
            f"{first.likeness.rms:.3f}",
            f"{first.certainty:.0%}",
            escape(match.conclusion),
        )
    return table


def _write(matches: Sequence[Match], outputs: Outputs, results: Console) -> None:
    """Write the files last, so that an error there does not hide the answer."""
    if outputs.output is not None:
        from xanesflow.matching.write_match import write_match, write_matches

        if len(matches) == 1:
            write_match(outputs.output, matches[0])
        else:
            write_matches(outputs.output, matches)
        say(results, str(outputs.output))
    if outputs.page is not None:
        from xanesflow.matching.match_page import write_page

        write_page(outputs.page, matches[0])
        say(results, str(outputs.page))
    if outputs.plot is not None:
        from xanesflow.matching.draw_match import draw_match, draw_matches

        if len(matches) == 1:
            draw_match(outputs.plot, matches[0])
        else:
            draw_matches(outputs.plot, matches)
        say(results, str(outputs.plot))
