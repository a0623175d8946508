"""What workers do for the view Measured → answer: scans are read, normalised, matched, mixed and interpreted.

`given` has paths of files in the page's folder (`scans`, and `structures` or `standards`), and `how` they are read and
normalised, by the names of the commands' options; what is not there is as found.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import isnan
from pathlib import Path
from typing import Any

import larch.xafs  # noqa: F401 - so that every worker has it

from xanesflow.app.measured_asked import excluded
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural, printable
from xanesflow.interpretation.interpret_spectra import interpret_files, write_values
from xanesflow.interpretation.interpreter import load_interpreter
from xanesflow.matching.candidates import Narrowing, read_symbols
from xanesflow.matching.conclusion import titled
from xanesflow.matching.each_scan import each_scan, is_series
from xanesflow.matching.get_references import Listener, Wanted, get_references, get_standards, one_element
from xanesflow.matching.mixtures import Mixture, MixtureFit, cautions, fit_mixtures
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
_OPTIONS = ("columns", "mode", "energy_unit", "d_spacing", "decimal", "element", "edge", "e0", "pre", "post", "order")
_RANKED = ("candidate", "formula", "oxidation", "shift (eV)", "width (eV)", "RMS", "certainty")
_MIXED = ("standards", "fractions (95 %)", "shifts (eV)", "RMS", "criterion")


class _Scans:
    """The files of some work, where a user would have them, and how they are read.

    Attributes:
        scans: files.
        place: of the scans: a file, or a folder of several.
        structures: what a command is given of them: a folder, or nothing.
        standards: likewise.
        how: reading and normalisation.
        stem: what files that are written are called after, with their folder.
    """

    def __init__(self, work: Work) -> None:
        os.chdir(work.folder / "scratch")  # so that sentences name the files as those of the commands do
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
        self.scans = found["scans"]
        if len(self.scans) == 1:  # one of the standards must be known as the scan itself
            (scan,) = self.scans
            self.scans = [next((each for each in found["standards"] if filecmp.cmp(each, scan, shallow=False)), scan)]
        self.place = self.scans[0] if len(self.scans) == 1 else Path("scans")
        self.structures, self.standards = (
            (kind,) if found[kind] else () for kind in ("structures", "standards")
        )  # fmt: skip
        self._asked = asked = work.given["how"]
        pre, post = (tuple(asked[name]) if asked.get(name) else None for name in ("pre", "post"))
        self._ranges = excluded(asked["exclude"]) if asked.get("exclude") else ()
        columns, mode, unit, spacing, decimal = map(asked.get, _OPTIONS[:5])
        reading = Reading(columns, mode, unit, spacing, decimal, tuple(asked.get("groups") or ()), self._ranges)
        element, edge, e0, order = map(asked.get, ("element", "edge", "e0", "order"))
        self.how = reading, Normalisation(e0, element, edge, pre, post, order)
        self._files = work.files

    def to_write(self, end: str) -> Path:
        """A file for the reader."""
        return self._files / f"{self.place.stem}_{end}"

    def terminal(self, command: str, *words: object) -> list[str]:
        """The command that gives the same; how scans are read and normalised stands at its end."""
        line = ["xanesflow", command]
        line += [word.name if isinstance(word, Path) and word.is_absolute() else str(word) for word in words]
        for name in _OPTIONS:
            if (value := self._asked.get(name)) is not None:
                text = ":".join(map(str, value)) if name in ("pre", "post") else str(value)
                line += [f"--{name.replace('_', '-')}", text]
        line += [f"--exclude={low:g}:{high:g}" for low, high in self._ranges]
        return [*line, *chain.from_iterable(("--group", label) for label in self._asked.get("groups") or ())]


def read_scans(work: Work) -> dict[str, Any]:
    """What scans are: element and edge, how they were normalised, and the curves of one of them to draw.

    `given["only"]`: place of the only file that is read, and of its spectrum that is drawn. Returns `error`, a sentence
    about files that leave something open, with the `groups` that a project has.
    """
    files, only = _Scans(work), work.given.get("only")
    spectra: list[tuple[int, int, MeasuredSpectrum]] = []
    failed: dict[int, str] = {}
    for k, path in enumerate(files.scans):
        if k != only[0] if only else k >= MOST_READ:
            continue
        try:
            spectra += [(k, n, each) for n, each in enumerate(read_measured(path, *files.how))]
        except XanesflowError as error:
            failed[k] = str(error)
    found: dict[str, Any] = {"failed": failed, "groups": _groups(files.scans[only[0] if only else 0])}
    if not spectra:
        several = f"None of the {plural(len(failed), 'file')} can be used." if len(failed) > 1 else ""
        return {**found, "error": several}
    unread = len(files.scans) - MOST_READ
    are = "is" if unread == 1 else "are"
    k, n, shown = next((each for each in spectra if only and each[1] == only[1]), spectra[0])
    known = shown.parameters
    scans = [{"at": [k, n], "source": each.source, "edge": f"{each.element} {each.edge}"} for k, n, each in spectra]
    curves = {name: getattr(shown, name) for name in ("mu", "pre_edge", "post_edge", "normalised", "flattened")}
    return {
        **found,
        "unread": f"{plural(unread, 'further scan')} {are} read with these when you go on." if unread > 0 else "",
        "scans": scans,
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

    files = _Scans(work)
    spectra = [each for path in files.scans for each in read_measured(path, *files.how)]
    record, table, plot = (files.to_write(f"normalised{end}") for end in (".json", ".csv", ".svg"))
    outputs = [table, record] if len(spectra) == 1 else [record]
    for output in outputs:
        write_spectra(output, spectra)
    draw_spectra(plot, spectra)
    return {"terminal": files.terminal("measured", *files.scans, "--output", outputs[0], "--plot", plot)}


def _begin(work: Work) -> tuple[_Scans, list[MeasuredSpectrum], list[str], Listener]:
    """Read the scans; also what was said about them and the candidates, and who hears further sentences."""
    files, remarks = _Scans(work), list[str]()
    work.say(0.0, "reading the scans")

    def warn(sentence: str) -> None:
        remarks.append(sentence)
        work.show({"remarks": remarks})

    spectra = read_several([files.place], *files.how, leave_out=lambda sentence: warn(f"Left out: {sentence}"))
    listener = Listener(
        lambda sentence: work.say(0.0, sentence), warn,
        lambda done, of: work.say(0.9 * done / of, f"{done} of {plural(of, 'site')} computed"),
    )  # fmt: skip
    return files, spectra, remarks, listener


def _counted(work: Work, spectra: Sequence[MeasuredSpectrum], begin: float, done: str) -> Iterator[MeasuredSpectrum]:
    """The scans one after the other; says before each how many are done, as a share that begins with `begin`."""
    for k, spectrum in enumerate(spectra):
        work.say(begin + (1 - begin) * k / len(spectra), f"{k} of {plural(len(spectra), 'scan')} {done}")
        yield spectrum


def match_scans(work: Work) -> dict[str, Any]:
    """The candidates ranked for each scan, as `xanesflow match` ranks and writes them.

    `given` has `libraries`, `contains`, `max_atoms` and `cache`, or `measured`: the candidates are standards.
    """
    given = work.given
    files, spectra, remarks, listener = _begin(work)
    contains, most, measured = given.get("contains") or "", given.get("max_atoms"), bool(given.get("measured"))
    candidates = files.standards if measured else (*given["libraries"], *files.structures)
    narrowing = Narrowing(read_symbols(contains) if contains else frozenset(), most)
    cache = Path(given["cache"]) if given.get("cache") else None
    wanted = Wanted(candidates, measured=measured, narrowing=narrowing, cache=cache)
    references, calibration, left_out = get_references(one_element(spectra), wanted, listener)
    matches = each_scan(
        _counted(work, spectra, 0.9, "matched"),
        lambda spectrum: match_spectrum(spectrum, references, calibration, left_out=left_out),
        lambda _, sentence: listener.warn(f"Left out: {sentence}"),
    )
    several, series = len(matches) > 1, is_series(files.place, spectra)
    remarks += sorted({each for match in matches for each in match.warnings}) if several else matches[0].warnings
    remarks += _left_out(matches)
    words: list[object] = [files.place, *candidates, *["--measured"] * measured]
    words += ["--contains", contains] * bool(contains) + ["--max-atoms", most] * (most is not None)
    return {
        **_answers(matches, _ranked, _RANKED, [match.conclusion for match in matches]),
        "said": "" if several else matches[0].conclusion,
        "known": _known(matches[0]),
        "curves": [_curve(each.spectrum, each.target.energy_ev, each.target.values) for each in matches],
        "remarks": remarks,
        "terminal": files.terminal("match", *words, *_write_matches(files, matches, series=series)),
    }


def _left_out(found: Sequence[Match] | Sequence[MixtureFit]) -> list[str]:
    """What was no candidate or standard, and why; the first ten of all scans."""
    lost = dict.fromkeys(each for one in found for each in one.left_out)
    return [f"Left out: {each}" for each in list(lost)[:10]]


def _write_matches(files: _Scans, matches: Sequence[Match], *, series: bool) -> list[object]:
    """Write what `xanesflow match` writes; returns its options for that."""
    from xanesflow.matching.draw_match import draw_matches
    from xanesflow.matching.match_page import write_page
    from xanesflow.matching.write_match import write_matches

    table, record, plot, page = (files.to_write(f"match{end}") for end in (".csv", ".json", ".svg", ".html"))
    for path in (table, record):
        write_matches(path, matches, series=series)
    draw_matches(plot, matches)
    if not series:
        write_page(page, matches[0])
    return ["--output", table, "--plot", plot, *([] if series else ["--page", page])]


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

    most, sum_to_one = work.given["most"], work.given["sum_to_one"]
    files, spectra, remarks, listener = _begin(work)
    standards, _ = get_standards(one_element(spectra), files.standards, listener)
    fits = each_scan(
        _counted(work, spectra, 0.0, "fitted"),
        lambda spectrum: fit_mixtures(spectrum, standards, most=most, sum_to_one=sum_to_one),
        lambda _, sentence: listener.warn(f"Left out: {sentence}"),
    )
    table, record, plot = (files.to_write(f"mix{end}") for end in (".csv", ".json", ".svg"))
    for path in (table, record):
        write_mixtures(path, fits, series=is_series(files.place, spectra))
    draw_mixtures(plot, fits)
    words = [files.place, *files.standards, "--max", most, *["--sum-to-one"] * sum_to_one]
    return {
        **_answers(fits, lambda fit: [_mixed(each) for each in fit.mixtures], _MIXED),
        "curves": [_curve(fit.spectrum, fit.energy_ev, fit.values) for fit in fits],
        "known": "The lower the criterion the better; a difference of 6 is strong evidence.",
        "remarks": [*remarks, *cautions(fits), *_left_out(fits)],
        "terminal": files.terminal("mix", *words, "--output", table, "--plot", plot),
    }


def _answers(found: Sequence[Any], rows_of: Any, names: Sequence[str], ends: Sequence[str] = ()) -> dict[str, Any]:
    """Rows that can be laid over a scan: all of one scan, or the best of each of several, with a sentence."""
    several = len(found) > 1
    rows = []
    for scan, each in enumerate(found):
        for rank, (cells, name, fitted) in enumerate(rows_of(each)[: 1 if several else _MOST_ROWS], 1):
            first = printable(each.spectrum.source, 40) if several else str(rank)
            end = [ends[scan]] if several and ends else []
            rows.append({"cells": [first, *cells, *end], "name": name, "scan": scan, "fitted": _numbers(fitted)})
    return {
        "names": ["scan" if several else "", *names, *["what can be said"] * (several and bool(ends))],
        "rows": rows,
    }


def _ranked(match: Match) -> list[tuple[list[str], str, Any]]:
    """Cells, title and curve of each row."""

    def cells(row: Row) -> list[str]:
        return [printable(row.reference.short_name, 48), row.reference.formula, *row.cells]

    return [(cells(row), printable(titled(row.reference), 60), row.likeness.fitted) for row in match.rows]


def _mixed(found: Mixture) -> tuple[list[str], str, Any]:
    shares = zip(found.standards, found.fractions, strict=True)
    return found.cells, ", ".join(f"{printable(name, 48)} {part:.2f}" for name, part in shares), found.fitted


def interpret_scans(work: Work) -> dict[str, Any]:
    """What the scans' sites are like, as `xanesflow interpret` reads and writes it; `given["model"]` is a path."""
    files = _Scans(work)
    work.say(0.0, "reading the model")
    model = Path(work.given["model"])
    interpreter = load_interpreter(model)
    work.say(0.5, "reading the scans")
    remarks: list[str] = []
    found = interpret_files(
        files.scans, interpreter, *files.how, leave_out=lambda sentence: remarks.append(f"Left out: {sentence}")
    )
    table = files.to_write("site.csv")
    write_values(table, found)
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
        "remarks": remarks,
        "terminal": files.terminal("interpret", *files.scans, "--model", Path(*model.parts[-4:]), "--output", table),
    }  # fmt: skip


def _curve(spectrum: MeasuredSpectrum, energy: Any, values: Any) -> dict[str, Any]:
    source = printable(spectrum.source, 40)
    return {"source": source, "energy": energy.round(2).tolist(), "values": _numbers(values)}


def _numbers(values: Iterable[Any]) -> list[float | None]:
    """Numbers for JSON, which has no NaN."""
    return [None if isnan(value) else round(float(value), 5) for value in values]
