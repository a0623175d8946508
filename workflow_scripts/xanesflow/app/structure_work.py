"""What workers do for the view Structure → spectrum: read and search structures, compute and predict spectra."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from pymatgen.core import Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xanesflow.codes.quick_look import QuickLook, check_quick_look, quick_look_of
from xanesflow.config.campaign import Campaign
from xanesflow.config.model import Config
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.provenance import versions
from xanesflow.core.sites import ELEMENTS, Subset
from xanesflow.core.text import plural
from xanesflow.matching.kept_spectra import compute_or_take
from xanesflow.matching.write_normalised import normalised_mean, write_normalised
from xanesflow.running.do_work import Work
from xanesflow.spectra.compute_sites import SiteResult, cores
from xanesflow.spectra.write_xanes import common_grid, draw_plot, expected_time, remarks, write_athena, write_table
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
from xanesflow.structures.find_structures import find_structures

SYMPREC = 0.01
_MOST_DESCRIBED = 60  # sites whose neighbours are looked for
_MOST_FOUND = 200


def _read(given: dict[str, Any]) -> Given:
    """The structure that was given: a file in the page's folder, or a name, which opens no file."""
    partly = given.get("disorder", "refuse") != "refuse"
    if "files" not in given:
        return read_named(str(given["name"]), partly_occupied=partly)
    path = Path(given["files"][0])
    os.chdir(path.parent)  # so that messages and tables name the file as the command would
    return read_given(path.name, partly_occupied=partly)


def read_structure(work: Work) -> dict[str, Any]:
    """What a structure is: formula, group, density, sites, and its cell to draw.

    `given` has `files` (one path in the page's folder) or `name` (an example or mineral), and `disorder`.
    """
    found = _read(work.given)
    materials = describe_given(found, symprec=SYMPREC, disorder=Disorder(work.given.get("disorder", "refuse")))
    material, structure = materials[0], Structure.from_dict(json.loads(materials[0].structure))
    firsts = sorted(set(material.equivalent))
    able = [each for each in dict.fromkeys(material.elements) if LIGHTEST <= Element(each).Z <= HEAVIEST]
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
    try:
        symmetry = SpacegroupAnalyzer(structure, symprec=SYMPREC)
        group = f"{symmetry.get_space_group_symbol()} (no. {symmetry.get_space_group_number()})"
    except Exception:  # spglib fails on near-degenerate cells; a note says so
        group = "not found"
    return {
        "name": found.name,
        "source": found.source,
        "formula": material.formula,
        "group": group,
        "density": float(structure.density),
        "atoms": len(structure),
        "cell": [round(float(each), 4) for each in structure.lattice.parameters],
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
    rows = [[each.id, each.formula, each.name, "example", " ".join(each.reference.split())] for each in examples]
    for each in minerals:
        partly = ", partly occupied" if each.partly_occupied else ""
        name = f"{each.mineral or each.formula}{partly}"
        rows.append([each.id, each.formula.replace(" ", ""), name, str(each.conditions), each.reference])
    return {"found": rows[:_MOST_FOUND], "number": len(rows)}


def _look(given: dict[str, Any]) -> QuickLook:
    """The level of theory, as `xanesflow xanes` makes it."""
    check_quick_look(given["theory"], given["options"])
    defaults = Campaign(Config()).engine_options(f"{given['element']}_{given['theory']}")
    return quick_look_of(given["theory"], defaults, given["options"])


def _request(given: dict[str, Any]) -> Request:
    disorder = Disorder(given.get("disorder", "refuse"))
    return make_request(_read(given), given["element"], None, symprec=SYMPREC, disorder=disorder)


def expect_time(work: Work) -> dict[str, Any]:
    """How long the spectra of `given` (as for `compute_spectra`) should take."""
    request, look = _request(work.given), _look(work.given)
    return {
        "said": expected_time(request, look, min(cores(), len(request.sites))),
        "notes": look.notes(request.element),
    }


def compute_spectra(work: Work) -> dict[str, Any]:
    """The spectra of all sites of an element and their average, as `xanesflow xanes` computes and writes them.

    `given` has `files` or `name`, `disorder`, `element`, `theory`, its `options`, and `cache` (a folder or None).
    """
    given = work.given
    work.say(0.0, "reading the structure")
    look, request = _look(given), _request(given)
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
    write_table(table, request, look, ended, spectra)
    write_athena(table, request, look, ended, spectra)
    draw_plot(plots, request, spectra)
    write_normalised(table.with_name(f"{table.stem}_normalised.csv"), ended, None)
    parameters = {name: value for name, value in given.items() if name not in ("cache", "files")}
    parameters |= {"symprec": SYMPREC, "engine": look.engine.settings()}
    parameters |= {"structures": [json.loads(each.structure) for each in request.materials]}
    parameters |= {"command": shown["terminal"], "versions": versions(look.packages)}
    write_text(work.files / f"{table.stem}.json", json.dumps(parameters, indent=1, default=list))
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
            curves.append(
                {
                    "name": site.name, "key": row["key"], "energy": result.energy_ev.round(4).tolist(),
                    "cross_section": result.cross_section.tolist(),
                    "background": None if result.background is None else result.background.tolist(),
                }
            )  # fmt: skip
        rows.append(row)
    mean = None
    if len(there) == len(request.sites) and all(each.result for each in there):
        spectra = common_grid(there, average=request.whole)
        whole = spectra.sites[0][1] if spectra.average is None else spectra.average
        mean = {"energy": spectra.energy_ev.tolist(), "cross_section": whole.tolist()}
        if (normal := normalised_mean(there)) is not None:
            mean |= {"normalised_energy": normal.energy_ev.tolist(), "normalised": normal.values.tolist()}
            mean["background"] = normal.background.tolist()
    words = ["xanesflow", "xanes", Path(given["files"][0]).name if "files" in given else given["name"]]
    words += ["--element", request.element, "--theory", given["theory"], "--normalised"]
    words += ["--disorder", given["disorder"]] * (given["disorder"] != "refuse")
    columns = ["edge (eV)", "maximum (eV)", "seconds"]
    return {"rows": rows, "columns": columns, "curves": curves, "mean": mean, "basis": look.basis, "terminal": words}


def predict_spectra(work: Work) -> dict[str, Any]:
    """The spectra that a trained model predicts, as `xanesflow predict` computes and writes them.

    `given` has `files` or `name`, `disorder`, `element`, and `model`, as the page's command named it.
    """
    from xanesflow.prediction.predict_files import predict_structures
    from xanesflow.prediction.trained_models import load_models

    given = work.given
    work.say(0.0, "reading the structure and the model")
    found = _read(given)  # a name that is read here is no file
    named = Path(given["files"][0]).name if "files" in given else given["name"]
    covered = [subset for model in load_models([given["model"]]) for subset in model.subsets]
    wanted = [subset for subset in covered if Subset.parse(subset).element == given["element"]]
    if not wanted:
        raise XanesflowError(f"The model predicts no {given['element']}; it covers {', '.join(covered)}.")
    if "files" not in given:
        os.chdir(work.files)
    table = work.files / f"{found.name}_{given['element']}_predicted.csv"
    predicted = predict_structures(
        [Path(named)], [given["model"]], table, subsets=wanted, symprec=SYMPREC, disorder=Disorder(given["disorder"]),
        progress=lambda what, done, of: work.say(done / max(of, 1), f"{what}: {done} of {of}"), workers=1,
    )  # fmt: skip
    rows, curves, mean = [], [], None
    for each in predicted.subsets.values():
        bands = each.band_68
        for k in range(len(each)):
            site = f"{given['element']} {each.site_index[k]} (×{each.multiplicity[k]})"
            row = {"site": site, "key": f"0-{each.site_index[k]}"}
            row["maximum (eV)"] = f"{each.energy_ev[each.spectra[k].argmax()]:.2f}"
            row["error (10⁻³ bohr²)"] = "?" if each.error is None else f"±{1e3 * each.error[k]:.3f}"
            row["training sites"] = "" if each.unlike is None else "unlike all" if each.unlike[k] else "near"
            rows.append(row)
            band = None if bands is None else bands[:, k].tolist()
            curves.append({"name": site, "key": row["key"], **_curve(each.energy_ev, each.spectra[k], band)})
        if each.averages.material_id:
            band = None if each.averages.band_68 is None else each.averages.band_68[:, -1].tolist()
            mean = _curve(each.energy_ev, each.averages.spectra[-1], band)
    words = ["xanesflow", "predict", named, "--model", given["model"], "--output", table.name]
    words += [part for subset in wanted for part in ("--subset", subset)]
    words += ["--disorder", given["disorder"]] * (given["disorder"] != "refuse")
    parameters = {name: value for name, value in given.items() if name != "files"}
    parameters |= {"symprec": SYMPREC, "subsets": wanted, "made": predicted.made, "command": words}
    write_text(table.with_suffix(".json"), json.dumps(parameters, indent=1, default=str))
    columns = ["maximum (eV)", "error (10⁻³ bohr²)", "training sites"]
    basis = ", ".join(f"{each.model} model of {name} on {each.features}" for name, each in predicted.subsets.items())
    return {
        "rows": rows, "columns": columns, "curves": curves, "mean": mean, "basis": basis, "terminal": words,
        "remarks": [*predicted.remarks, *(each.detail for each in predicted.rejected)],
    }  # fmt: skip


def _curve(energy: Any, spectrum: Any, band: Any) -> dict[str, Any]:
    return {"energy": energy.tolist(), "cross_section": spectrum.tolist(), "background": None, "band": band}
