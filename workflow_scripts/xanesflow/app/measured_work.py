"""What workers do for the view Measured → answer: scans are read, normalised, matched, mixed and interpreted.

`given` has paths of files in the page's folder (`scans`, and `structures` or `standards`), and `how` they are read and
normalised, by the names of the commands' options; null: as found.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isnan
from pathlib import Path
from typing import Any

import larch.xafs  # noqa: F401 - so that every worker has it

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural, printable
from xanesflow.interpretation.interpret_spectra import Interpretation, interpret_files, write_values
from xanesflow.interpretation.interpreter import load_interpreter
from xanesflow.matching.candidates import Narrowing, read_symbols
from xanesflow.matching.conclusion import titled
from xanesflow.matching.get_references import (
    Listener,
    Wanted,
    get_references,
    get_standards,
    one_element,
    own_of,
)
from xanesflow.matching.mixtures import Mixture, MixtureFit, fit_mixtures
from xanesflow.matching.rank_candidates import Match, match_spectrum
from xanesflow.matching.ranking import Row
from xanesflow.measured import MeasuredSpectrum, Normalisation, Reading, read_measured
from xanesflow.measured.athena import is_project, read_project
from xanesflow.measured.describe_spectrum import describe_spectrum
from xanesflow.measured.foreign_file import read_text
from xanesflow.measured.read_measured import read_several
from xanesflow.running.do_work import Work

MOST_READ = 30
"""Scans that are read as soon as they are given; further ones are read with the others when they are matched."""

_MOST_ROWS = 60
_OPTIONS = ("columns", "mode", "energy_unit", "d_spacing", "element", "e0", "pre", "post")
_RANKED = ("", "candidate", "formula", "oxidation", "shift (eV)", "width (eV)", "RMS", "certainty")
_MIXED = ("", "standards", "fractions (95 %)", "shifts (eV)", "RMS", "criterion")


@dataclass(frozen=True)
class _Files:
    """The files of some work, where a user would have them.

    Attributes:
        place: of the scans: a file, or a folder of several.
        scans: files.
        structures: what a command is given of them: a folder, or nothing.
        standards: likewise.
    """

    place: Path
    scans: tuple[Path, ...]
    structures: tuple[str, ...]
    standards: tuple[str, ...]

    @property
    def stem(self) -> str:
        """What the files that are written are called after."""
        return self.place.stem


def _lay_out(work: Work) -> _Files:
    """Go to a folder with the given files, so that sentences name them as those of the commands do."""
    os.chdir(work.folder / "scratch")
    found: dict[str, list[Path]] = {}
    for kind in ("scans", "structures", "standards"):
        paths = [Path(each) for each in work.given.get(kind) or ()]
        folder = Path() if kind == "scans" and len(paths) == 1 else Path(kind)
        folder.mkdir(exist_ok=True)
        found[kind] = [folder / path.name for path in paths]
        for path, link in zip(paths, found[kind], strict=True):
            if link.exists():
                raise XanesflowError(f"Two of the files are called {link.name}; rename one of them.")
            link.symlink_to(path)
    scans = found["scans"]
    if len(scans) == 1:  # one of the standards must be known as the scan itself
        scans = [next((each for each in found["standards"] if filecmp.cmp(each, scans[0], shallow=False)), scans[0])]
    folders = [(kind,) if found[kind] else () for kind in ("structures", "standards")]
    return _Files(scans[0] if len(scans) == 1 else Path("scans"), tuple(scans), *folders)


def _how(given: dict[str, Any]) -> tuple[Reading, Normalisation]:
    how = given["how"]
    pre, post = (tuple(how[name]) if how.get(name) else None for name in ("pre", "post"))
    reading = Reading(
        how.get("columns"), how.get("mode"), how.get("energy_unit"), how.get("d_spacing"),
        groups=tuple(how.get("groups") or ()),
    )  # fmt: skip
    return reading, Normalisation(how.get("e0"), how.get("element"), pre=pre, post=post)


def _terminal(command: str, given: dict[str, Any], words: Iterable[object]) -> list[str]:
    """The command that gives the same; how scans are read and normalised stands at its end."""
    line = ["xanesflow", command, *(str(word) for word in words)]
    for name in _OPTIONS:
        if (value := given["how"].get(name)) is not None:
            text = ":".join(map(str, value)) if name in ("pre", "post") else str(value)
            line += [f"--{name.replace('_', '-')}", text]
    return [*line, *chain.from_iterable(("--group", label) for label in given["how"].get("groups") or ())]


def read_scans(work: Work) -> dict[str, Any]:
    """What scans are: element and edge, how they were normalised, and the curves of one of them to draw.

    `given["only"]`: place of the only file that is read, and of its spectrum that is drawn. Returns `error`, a sentence
    about files that leave something open, with the `groups` that a project has.
    """
    files, only = _lay_out(work), work.given.get("only")
    reading, normalisation = _how(work.given)
    spectra: list[tuple[int, int, MeasuredSpectrum]] = []
    failed: dict[int, str] = {}
    for k, path in enumerate(files.scans):
        if k != only[0] if only else k >= MOST_READ:
            continue
        try:
            spectra += [(k, n, each) for n, each in enumerate(read_measured(path, reading, normalisation))]
        except XanesflowError as error:
            failed[k] = str(error)
    found: dict[str, Any] = {"failed": failed, "groups": _groups(files.scans[only[0] if only else 0])}
    if not spectra:
        several = f"None of the {plural(len(failed), 'file')} can be used." if len(failed) > 1 else ""
        return {**found, "error": several}
    unread = len(files.scans) - MOST_READ
    found["unread"] = f"{plural(unread, 'further scan')} are read with these when you go on." if unread > 0 else ""
    rows = [{"at": [k, n], "source": each.source, "edge": f"{each.element} {each.edge}"} for k, n, each in spectra]
    k, n, shown = next((each for each in spectra if only and each[1] == only[1]), spectra[0])
    known = shown.parameters
    curves = {name: getattr(shown, name) for name in ("mu", "pre_edge", "post_edge", "normalised", "flattened")}
    return {
        **found,
        "scans": rows,
        "elements": sorted({each.element for _, _, each in spectra}),
        "shown": {
            "at": [k, n], "source": shown.source, "element": shown.element, "facts": describe_spectrum(shown),
            "remarks": list(shown.remarks), "fixed": known["mode"] == "normalised", "e0": shown.e0_ev,
            "pre": known["pre_edge_range_ev"], "post": known["post_edge_range_ev"],
            "energy": shown.energy_ev.round(3).tolist(),
            **{name: [float(f"{value:.6g}") for value in curve] for name, curve in curves.items()},
        },
    }  # fmt: skip


def _groups(path: Path) -> list[str]:
    """What names the groups of a project: labels, or keys where two groups have one label."""
    try:
        text = read_text(path)
        groups = read_project(text, path.name) if is_project(text) else []
    except XanesflowError:
        return []
    labels = [group.label.lower() for group in groups]
    return [group.label if labels.count(group.label.lower()) == 1 else group.key for group in groups]


def write_scans(work: Work) -> dict[str, Any]:
    """The normalised spectra in files, as `xanesflow measured` writes them."""
    from xanesflow.measured.draw import draw_spectra
    from xanesflow.measured.write_measured import write_spectra

    files, given = _lay_out(work), work.given
    spectra = [each for path in files.scans for each in read_measured(path, *_how(given))]
    outputs = [work.files / f"{files.stem}_normalised{end}" for end in (".json", ".csv", ".svg")]
    for output in outputs[: 2 if len(spectra) == 1 else 1]:
        write_spectra(output, spectra)
    draw_spectra(outputs[2], spectra)
    words = [*files.scans, "--output", outputs[len(spectra) == 1].name, "--plot", outputs[2].name]
    return {"terminal": _terminal("measured", given, words)}


def _begin(work: Work) -> tuple[_Files, list[MeasuredSpectrum], list[str], Listener]:
    """Read the scans; also what was said about them and the candidates, and who hears further sentences."""
    files, remarks = _lay_out(work), list[str]()
    work.say(0.0, "reading the scans")

    def warn(sentence: str) -> None:
        remarks.append(sentence)
        work.show({"remarks": remarks})

    spectra = read_several(
        [files.place], *_how(work.given), leave_out=lambda sentence: warn(f"Left out: {sentence}")
    )  # fmt: skip
    listener = Listener(
        lambda sentence: work.say(0.0, sentence), warn,
        lambda done, of: work.say(0.9 * done / of, f"{done} of {plural(of, 'site')} computed"),
    )  # fmt: skip
    return files, spectra, remarks, listener


def match_scans(work: Work) -> dict[str, Any]:
    """The candidates ranked for each scan, as `xanesflow match` ranks and writes them.

    `given` has `libraries`, `contains`, `max_atoms` and `cache`, or `measured`: the candidates are standards.
    """
    given = work.given
    files, spectra, remarks, listener = _begin(work)
    contains, most = given.get("contains") or "", given.get("max_atoms")
    candidates = files.standards if given.get("measured") else (*given["libraries"], *files.structures)
    narrowing = Narrowing(read_symbols(contains) if contains else frozenset(), most)
    wanted = Wanted(
        candidates, measured=bool(given.get("measured")), narrowing=narrowing,
        cache=Path(given["cache"]) if given.get("cache") else None,
    )  # fmt: skip
    references, calibration, left_out = get_references(
        one_element(spectra), wanted, own_of(files.place, spectra), listener
    )
    matches: list[Match] = []
    for spectrum in spectra:
        work.say(0.9 + 0.1 * len(matches) / len(spectra), f"{len(matches)} of {plural(len(spectra), 'scan')} matched")
        matches.append(match_spectrum(spectrum, references, calibration, left_out=left_out))
    names = _write_matches(work.files / f"{files.stem}_match", matches)
    words: list[object] = [files.place, *candidates, *["--measured"] * wanted.measured]
    words += ["--contains", contains] * bool(contains) + ["--max-atoms", most] * (most is not None)
    words += chain.from_iterable((f"--{option}", name) for option, name in names.items())
    result: dict[str, Any] = {"names": list(_RANKED), "remarks": remarks, "terminal": _terminal("match", given, words)}
    if len(matches) > 1:
        rows = [(n, match.rows[0], [_short(match.spectrum.source)]) for n, match in enumerate(matches)]
        result["names"] = ["scan", *_RANKED[1:], "what can be said"]
        ends = [[match.conclusion] for match in matches]
        remarks += sorted({each for match in matches for each in match.warnings})
    else:
        rows = [(0, row, [str(row.rank)]) for row in matches[0].rows[:_MOST_ROWS]]
        ends = [[] for _ in rows]
        result["said"] = matches[0].conclusion
        remarks += matches[0].warnings
    remarks += [f"Left out: {each}" for each in left_out[:10]]
    return {
        **result,
        "known": _known(matches[0]),
        "rows": [_row(n, row, first, end) for (n, row, first), end in zip(rows, ends, strict=True)],
        "curves": [_curve(m.spectrum.source, m.target.energy_ev, m.target.values) for m in matches],
    }


def _write_matches(stem: Path, matches: Sequence[Match]) -> dict[str, str]:
    """Write what `xanesflow match` writes; the names of the files by its options."""
    from xanesflow.matching.draw_match import draw_match, draw_matches
    from xanesflow.matching.match_page import write_page
    from xanesflow.matching.write_match import write_match, write_matches

    table, record, plot, page = (stem.with_name(stem.name + end) for end in (".csv", ".json", ".svg", ".html"))
    if len(matches) > 1:
        for path in (table, record):
            write_matches(path, matches)
        draw_matches(plot, matches)
        return {"output": table.name, "plot": plot.name}
    for path in (table, record):
        write_match(path, matches[0])
    draw_match(plot, matches[0])
    write_page(page, matches[0])
    return {"output": table.name, "plot": plot.name, "page": page.name}


def _row(scan: int, row: Row, first: list[str], end: list[str]) -> dict[str, Any]:
    fit, around = row.likeness, row.reference.surroundings
    state = None if around is None else around.oxidation_state
    cells = [*first, printable(row.reference.short_name, 48), row.reference.formula]
    cells += ["" if state is None else f"{state:+.3g}", f"{fit.shift_ev:+.2f}", f"{fit.width_ev:.2f}"]
    cells += [f"{fit.rms:.3f}", f"{row.certainty:.0%}", *end]
    return {"cells": cells, "name": printable(titled(row.reference), 60), "scan": scan, "fitted": _numbers(fit.fitted)}


def _known(match: Match) -> str:
    """How far a certainty may be trusted."""
    said = "Certainty is the probability of a row if the right one is among the candidates."
    if match.known.get("compounds"):
        said += (
            f" In trials with {match.known['compounds']:.0f} known compounds, the right one came first for "
            f"{match.known['first']:.0%} and among the first three for {match.known['three']:.0%}."
        )
    return said


def mix_scans(work: Work) -> dict[str, Any]:
    """Combinations of standards for each scan, as `xanesflow mix` finds and writes them.

    `given` has `most` standards in a combination, and whether fractions `sum_to_one`.
    """
    from xanesflow.matching.write_mix import draw_mixtures, write_mixtures

    given = work.given
    most, sum_to_one = given["most"], given["sum_to_one"]
    files, spectra, remarks, listener = _begin(work)
    standards, _ = get_standards(one_element(spectra), files.standards, own_of(files.place, spectra), listener)
    fits: list[MixtureFit] = []
    for spectrum in spectra:
        work.say(len(fits) / len(spectra), f"{len(fits)} of {plural(len(spectra), 'scan')} fitted")
        fits.append(fit_mixtures(spectrum, standards, most=most, sum_to_one=sum_to_one))
    table, record, plot = (work.files / f"{files.stem}_mix{end}" for end in (".csv", ".json", ".svg"))
    for path in (table, record):
        write_mixtures(path, fits)
    draw_mixtures(plot, fits)
    words = [files.place, *files.standards, "--max", most, *["--sum-to-one"] * sum_to_one]
    words += ["--output", table.name, "--plot", plot.name]
    rows = [(n, fit.mixtures[0], _short(fit.spectrum.source)) for n, fit in enumerate(fits)]
    if len(fits) == 1:
        rows = [(0, each, str(each.rank)) for each in fits[0].mixtures[:_MOST_ROWS]]
    return {
        "names": ["" if len(fits) == 1 else "scan", *_MIXED[1:]],
        "rows": [_combination(*row) for row in rows],
        "curves": [_curve(fit.spectrum.source, fit.energy_ev, fit.values) for fit in fits],
        "known": "The lower the criterion the better; a difference of 6 is strong evidence.",
        "remarks": remarks,
        "terminal": _terminal("mix", given, words),
    }


def _combination(scan: int, found: Mixture, first: str) -> dict[str, Any]:
    names = [printable(name, 48) for name in found.standards]
    parts = zip(found.fractions, found.low, found.high, strict=True)
    cells = [first, "\n".join(names), "\n".join(f"{part:.3f} ({low:.3f} to {high:.3f})" for part, low, high in parts)]
    cells += ["\n".join(f"{shift:+.2f}" for shift in found.shifts_ev), f"{found.rms:.4f}", f"{found.criterion:.1f}"]
    shares = ", ".join(f"{name} {part:.2f}" for name, part in zip(names, found.fractions, strict=True))
    return {"cells": cells, "name": shares, "scan": scan, "fitted": _numbers(found.fitted)}


def interpret_scans(work: Work) -> dict[str, Any]:
    """What the scans' sites are like, as `xanesflow interpret` reads and writes it; `given["model"]` is a path."""
    given, files = work.given, _lay_out(work)
    work.say(0.0, "reading the model")
    model = Path(given["model"])
    interpreter = load_interpreter(model)
    found: list[Interpretation] = []
    for k, path in enumerate(files.scans):
        work.say((k + 1) / (len(files.scans) + 1), f"{k} of {plural(len(files.scans), 'scan')} read")
        found += interpret_files([path], interpreter, *_how(given))
    table = work.files / f"{files.stem}_site.csv"
    write_values(table, found)
    words = [*files.scans, "--model", Path(*model.parts[-4:]), "--output", table.name]
    card = interpreter.card
    return {
        "known": f"{card.model} of {card.name}, {plural(card.n_train, 'simulated site')}.",
        "readings": [
            {
                "source": each.source, "warning": each.warning, "nearest": each.nearest_sites,
                "remarks": list(each.remarks), "cells": [value.cells for value in each.values],
                "numbers": [[v.value, v.low, v.high, v.prior_low, v.prior_high] for v in each.values],
            }
            for each in found
        ],
        "terminal": _terminal("interpret", given, words),
    }  # fmt: skip


def _short(source: str) -> str:
    return printable(source, 40)


def _curve(source: str, energy: Any, values: Any) -> dict[str, Any]:
    return {"source": _short(source), "energy": energy.round(2).tolist(), "values": _numbers(values)}


def _numbers(values: Any) -> list[float | None]:
    """Numbers for JSON, which has no NaN."""
    return [None if isnan(value) else round(float(value), 5) for value in values]
