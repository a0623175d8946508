"""What workers do for the view Structure → spectrum: read and search structures, compute and predict spectra.

`given` has `files` (one path in the page's folder) or `name` (an example or mineral), and `disorder`, as the commands'
option; for spectra also the `element`, and `theory` or `model`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from pymatgen.core import Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xanesflow.codes.quick_look import QuickLook, check_quick_look, quick_look_of
from xanesflow.config.default_engine import default_engine_options
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.parallel import cores
from xanesflow.core.provenance import versions
from xanesflow.core.sites import ELEMENTS, SYMPREC_A, Subset, parent_of
from xanesflow.core.text import plural
from xanesflow.matching.kept_spectra import compute_or_take
from xanesflow.matching.write_normalised import normalised_mean, write_normalised
from xanesflow.running.do_work import Work
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.spectra.write_xanes import common_grid, describe_origin, draw_plot, expected_time, remarks, write_spectra
from xanesflow.structures.cell_picture import nearest_neighbours, picture_of
from xanesflow.structures.choose_site import (
    HEAVIEST,
    LIGHTEST,
    Absorber,
    Given,
    Request,
    describe_given,
    make_request,
    read_given,
    read_named,
)
from xanesflow.structures.disorder.represent import Disorder
from xanesflow.structures.find_structures import find_structures, found_rows

_MOST_DESCRIBED = 60  # sites whose neighbours are looked for
_MOST_FOUND = 200


def _disorder(given: dict[str, Any]) -> Disorder:
    return Disorder(given.get("disorder", "refuse"))


def _named(given: dict[str, Any]) -> str:
    """How a command names the structure."""
    return Path(given["files"][0]).name if "files" in given else str(given["name"])


def _read(given: dict[str, Any]) -> Given:
    """The structure that was given: a file in the page's folder, or a name, which opens no file."""
    partly = given.get("disorder", "refuse") != "refuse"
    if "files" not in given:
        return read_named(_named(given), partly_occupied=partly)
    path = Path(given["files"][0])
    os.chdir(path.parent)  # so that messages and tables name the file as the command would
    return read_given(path.name, partly_occupied=partly)


def read_structure(work: Work) -> dict[str, Any]:
    """What a structure is: formula, group, density, sites, and its cell to draw."""
    found = _read(work.given)
    materials = describe_given(found, symprec=SYMPREC_A, disorder=_disorder(work.given))
    material, structure = materials[0], Structure.from_dict(json.loads(materials[0].structure))
    try:
        symmetry = SpacegroupAnalyzer(structure, symprec=SYMPREC_A)
        group = f"{symmetry.get_space_group_symbol()} (no. {symmetry.get_space_group_number()})"
    except Exception:  # spglib fails on near-degenerate cells; a note says so
        group = "not found"
    a, b, c, *angles = structure.lattice.parameters
    facts = {
        "space group": group,
        "density": f"{structure.density:.3f} g/cm³",
        "cell": f"{a:.4f}, {b:.4f}, {c:.4f} Å; {', '.join(f'{each:.2f}' for each in angles)}°",
        "atoms in the cell": str(len(structure)),
        "read from": found.source,
    }
    able = [each for each in dict.fromkeys(material.elements) if LIGHTEST <= Element(each).Z <= HEAVIEST]
    firsts = sorted(set(material.equivalent))
    sites = [
        {
            "index": i,
            "element": material.elements[i],
            "multiplicity": material.multiplicity(i),
            "neighbours": nearest_neighbours(structure, i) if len(firsts) <= _MOST_DESCRIBED else "",
        }
        for i in firsts
        if material.elements[i] in able
    ]
    drawn = picture_of(structure)
    return {
        "name": found.name,
        "formula": material.formula,
        "facts": list(facts.items()),
        "notes": [f"{each}." for each in (found.note, *(m.note for m in materials)) if each],
        "elements": sorted(able, key=lambda each: (each not in ELEMENTS, Element(each).Z)),
        "sites": sites,
        "picture": {
            "symbols": drawn.symbols,
            "indices": [material.equivalent[int(i)] for i in drawn.indices],
            "positions": drawn.positions.round(4).tolist(),
            "bonds": drawn.bonds.tolist(),
            "edges": drawn.edges.round(4).tolist(),
        },
    }


def search_structures(work: Work) -> dict[str, Any]:
    """Examples and minerals that hold all words of `given["words"]` and all elements of `given["elements"]`."""
    elements = re.findall(r"[^\W\d_]+", work.given["elements"])
    examples, minerals = find_structures(work.given["words"].split(), elements)
    rows = found_rows(examples, minerals)
    for row in rows[: len(examples)]:
        row[3] = "example"
    return {"found": rows[:_MOST_FOUND], "number": len(rows)}


def _asked(given: dict[str, Any]) -> tuple[QuickLook, Request]:
    """The level of theory, as `xanesflow xanes` makes it, and the sites."""
    check_quick_look(given["theory"], {})
    look = quick_look_of(given["theory"], default_engine_options(given["theory"], given["element"]), {})
    return look, make_request(_read(given), given["element"], None, symprec=SYMPREC_A, disorder=_disorder(given))


def expect_time(work: Work) -> dict[str, Any]:
    """How long the spectra of `given` (as for `compute_spectra`) should take."""
    look, request = _asked(work.given)
    said = expected_time(request, look, min(cores(), len(request.sites)))
    return {"said": said, "notes": look.notes(request.element)}


def _write_parameters(path: Path, given: dict[str, Any], **more: Any) -> None:
    """Write all that decides the numbers, as JSON."""
    known = {name: value for name, value in given.items() if name not in ("cache", "files")}
    write_text(path, json.dumps({**known, "symprec": SYMPREC_A, **more}, indent=1, default=str))


def compute_spectra(work: Work) -> dict[str, Any]:
    """The spectra of all sites of an element and their average, as `xanesflow xanes` computes and writes them.

    `given["cache"]` is a folder or None.
    """
    given = work.given
    work.say(0.0, "reading the structure")
    look, request = _asked(given)
    outcomes: dict[Absorber, SiteResult] = {}

    def tell(message: str = "") -> None:
        all_sites = len(request.sites)
        work.say(len(outcomes) / all_sites, f"{len(outcomes)} of {plural(all_sites, 'site')}{message}")

    def done(outcome: SiteResult) -> None:
        outcomes[outcome.site] = outcome
        work.show(_shown(given, request, look, outcomes))
        tell()

    tell()
    ended = compute_or_take(
        request, look, given["cache"] and Path(given["cache"]), done=done,
        show_message=lambda site, message: tell(f", {site.name}: {message}"),
    )  # fmt: skip
    shown = _shown(given, request, look, outcomes)
    if not shown["curves"]:
        raise XanesflowError(f"There is no spectrum of {ended[0].site.name}: {ended[0].error}.")

    # The files are the command's own.
    spectra = common_grid(ended, average=request.whole)
    table, *plots = [work.files / f"{request.name}_{request.element}_xanes{end}" for end in (".csv", ".png", ".svg")]
    for athena in (False, True):
        write_spectra(table, request, look, ended, spectra, athena=athena)
    draw_plot(plots, request, spectra)
    beside = table.with_name(f"{table.stem}_normalised.csv")
    write_normalised(beside, ended, None, about=describe_origin(request, look))
    _write_parameters(
        table.with_suffix(".json"), given, engine=look.engine.settings(), command=shown["terminal"],
        structures=[json.loads(each.structure) for each in request.materials], versions=versions(look.packages),
    )  # fmt: skip
    return {**shown, "remarks": remarks(request, look, ended, spectra)}


def _shown(
    given: dict[str, Any], request: Request, look: QuickLook, outcomes: dict[Absorber, SiteResult]
) -> dict[str, Any]:
    """What the page shows: a row and a curve for each site, and their average once all are there."""
    there = [outcomes[site] for site in request.sites if site in outcomes]
    rows, curves = [], []
    for outcome in there:
        site, result = outcome.site, outcome.result
        row = {"site": site.name, "key": f"{site.cell}-{site.index}", "edge (eV)": "", "maximum (eV)": outcome.error}
        row["seconds"] = f"{outcome.seconds:.1f}" if outcome.seconds else "kept"
        if result is not None:
            edge = look.edge_ev(result)
            row["edge (eV)"] = "" if edge is None else f"{edge:.2f}"
            row["maximum (eV)"] = f"{result.energy_ev[result.cross_section.argmax()]:.2f}"
            curves.append({"name": site.name, "key": row["key"], **_curve(result.energy_ev, result.cross_section)})
        rows.append(row)
    mean = None
    if len(there) == len(request.sites) and all(each.result for each in there):
        spectra = common_grid(there, average=request.whole)
        mean = _curve(spectra.energy_ev, spectra.sites[0][1] if spectra.average is None else spectra.average)
        if (normal := normalised_mean(there)) is not None:
            mean |= {"normalised_energy": normal.energy_ev.tolist(), "normalised": normal.values.tolist()}
            mean["background"] = normal.background.tolist()
    words = ["xanes", _named(given), "--element", request.element, "--theory", given["theory"], "--normalised"]
    columns = ["edge (eV)", "maximum (eV)", "seconds"]
    return {"rows": rows, "columns": columns, "curves": curves, "mean": mean, "terminal": _terminal(given, words)}


def predict_spectra(work: Work) -> dict[str, Any]:
    """The spectra that a trained model predicts, as `xanesflow predict` computes and writes them.

    `given["model"]` is as the page's command named it.
    """
    from xanesflow.prediction.plot import site_name
    from xanesflow.prediction.predict_files import predict_structures
    from xanesflow.prediction.trained_models import load_models

    given = work.given
    work.say(0.0, "reading the structure and the model")
    found = _read(given)  # a name that is read here is no file
    covered = [subset for model in load_models([given["model"]]) for subset in model.subsets]
    wanted = [subset for subset in covered if Subset.parse(subset).element == given["element"]]
    if not wanted:
        raise XanesflowError(f"The model predicts no {given['element']}; it covers {', '.join(covered)}.")
    if "files" not in given:
        os.chdir(work.files)
    table = work.files / f"{found.name}_{given['element']}_predicted.csv"
    predicted = predict_structures(
        [Path(_named(given))], [given["model"]], table, subsets=wanted, symprec=SYMPREC_A, disorder=_disorder(given),
        progress=lambda what, done, of: work.say(done / max(of, 1), f"{what}: {done} of {of}"), workers=1,
    )  # fmt: skip
    rows, curves, mean = [], [], None
    said = {True: "unlike all", False: "near", None: "distance not known"}
    for each in predicted.subsets.values():
        unlike = None if each.unlike is None else each.unlike.tolist()
        for k in range(len(each)):
            site, material = site_name(each, k), each.material_id[k]
            cell = material.removeprefix(parent_of(material)).removeprefix(".cell")
            row = {"site": site, "key": f"{cell or 0}-{each.site_index[k]}"}
            row["maximum (eV)"] = f"{each.energy_ev[each.spectra[k].argmax()]:.2f}"
            row["error (10⁻³ bohr²)"] = "?" if each.error is None else f"±{1e3 * each.error[k]:.3f}"
            row["training sites"] = "" if unlike is None else said[unlike[k]]
            rows.append(row)
            curves.append({"name": site, "key": row["key"], **_curve(each.energy_ev, each.spectra[k])})
        whole, crystal = each.averages, parent_of(each.material_id[0])
        if crystal in whole.material_id:
            k = whole.material_id.index(crystal)
            band = None if whole.band_68 is None else whole.band_68[:, k].tolist()
            mean = {**_curve(each.energy_ev, whole.spectra[k]), "band": band}
    words = ["predict", _named(given), "--model", given["model"], "--output", table.name]
    words = _terminal(given, [*words, *(part for subset in wanted for part in ("--subset", subset))])
    _write_parameters(table.with_suffix(".json"), given, subsets=wanted, made=predicted.made, command=words)
    return {
        "rows": rows, "columns": ["maximum (eV)", "error (10⁻³ bohr²)", "training sites"], "curves": curves,
        "mean": mean, "terminal": words,
        "remarks": [*predicted.remarks, *(each.detail for each in predicted.rejected)],
    }  # fmt: skip


def _terminal(given: dict[str, Any], words: list[str]) -> list[str]:
    """The command that gives the same."""
    disorder = given.get("disorder", "refuse")
    return ["xanesflow", *words, *["--disorder", disorder] * (disorder != "refuse")]


def _curve(energy: Any, spectrum: Any) -> dict[str, Any]:
    return {"energy": energy.round(4).tolist(), "cross_section": spectrum.tolist()}
