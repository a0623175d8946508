"""Structure → spectrum: a structure is given or found, its spectra are computed or predicted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dash import ALL, Input, Output, State, ctx, dcc, html, no_update

from xanesflow.app import pieces, plots
from xanesflow.app.security import session
from xanesflow.app.shared_page import Page
from xanesflow.codes.single_sites import single_site_theories
from xanesflow.core.errors import XanesflowError, sentence_about
from xanesflow.core.limits import STRUCTURE_FILE
from xanesflow.core.text import plural

KINDS = ("compute_spectra", "predict_spectra")

SHOWN = {"cross_section": "cross section", "background": "with background", "normalised": "normalised"}
DISORDER = {"refuse": "refused", "ordered": "ordered by electrostatic energy", "random": "filled at random, 4 cells"}


def layout(page: Page) -> Any:
    """The view."""
    computed = sorted(single_site_theories(), key=lambda each: each.core_hours or math.inf)
    methods = {each.name: each.title for each in computed}
    methods |= {f"model:{k}": f"model {Path(name).name}" for k, name in enumerate(page.settings.models)}
    left = [
        html.H2("1. Structure"),
        pieces.drop("structure-files", "structure", "A structure file: CIF, POSCAR, JSON, xyz or vasprun.xml"),
        html.Div(
            [
                html.Label("… or search examples and minerals: name, formula", htmlFor="structure-words"),
                dcc.Input("", "text", id="structure-words", placeholder="cuprite"),
                html.Label("with all of the elements", htmlFor="structure-elements"),
                html.Div(
                    [
                        dcc.Input("", "text", id="structure-elements", placeholder="Cu O"),
                        html.Button("Search", id="structure-search", type="button"),
                    ],
                    className="row",
                ),
            ],
            className="field",
        ),
        pieces.error("structure-error"),
        html.Div(id="structure-found"),
        dcc.Store(id="structure", storage_type="session"),
        html.Div(id="structure-about"),
        html.Div(
            [
                html.H2("2. Spectrum"),
                _choice("structure-element", "Absorber", {}, "", inline=True),
                _choice("structure-method", "By", methods, computed[0].name),
                html.Details(
                    [
                        html.Summary("Partly occupied sites"),
                        _choice("structure-disorder", "They are", DISORDER, "refuse"),
                    ]
                ),
                html.P(id="structure-time", className="soft", role="status"),
                html.Button("Compute", id="structure-compute", type="button", className="main"),
                pieces.error("structure-refused"),
            ],
            id="structure-next",
            hidden=True,
        ),
    ]
    right = [
        html.H2("Spectra"),
        html.Div(
            [
                _choice("structure-shown", "Show", SHOWN, "cross_section", inline=True),
                html.Div(
                    dcc.Checklist({"sites": "each site"}, ["sites"], id="structure-sites", inline=True),
                    className="field",
                ),
            ],
            className="row",
        ),
        dcc.Checklist({}, [], id="structure-drawn"),
        html.Div(pieces.graph("structure-spectra", "Spectra"), **pieces.told(data_lights="1")),
        html.Ul(id="structure-jobs", className="jobs"),
    ]
    return html.Div([html.Div(left), html.Div(right)], className="columns")


def _choice(name: str, label: str, options: dict[str, str], value: str, *, inline: bool = False) -> html.Fieldset:
    return html.Fieldset(
        [html.Legend(label), dcc.RadioItems(options, value, id=name, inline=inline)], className="field"
    )


def callbacks(page: Page) -> None:
    """Register its callbacks."""
    page.uploads.limits["structure"] = (
        STRUCTURE_FILE,
        lambda name, size: f"{name} has {size:,} bytes, and the limit is {STRUCTURE_FILE:,}.",
    )
    app = page.app

    @app.callback(
        Output("structure-found", "children"),
        Output("structure-error", "children"),
        Input("structure-search", "n_clicks"),
        Input("structure-words", "n_submit"),
        Input("structure-elements", "n_submit"),
        State("structure-words", "value"),
        State("structure-elements", "value"),
        prevent_initial_call=True,
    )
    def _(_clicks: int, _enter: int, _again: int, words: str, elements: str) -> tuple[Any, str]:
        try:
            found = page.queue.ask("search_structures", {"words": words or "", "elements": elements or ""})
        except (XanesflowError, OSError) as error:
            return None, sentence_about(error)
        return _found_table(found), ""

    @app.callback(
        Output("structure", "data"),
        Output("structure-error", "children", allow_duplicate=True),
        Output("structure-found", "children", allow_duplicate=True),
        Input("structure-files", "data"),
        Input({"take": ALL}, "n_clicks"),
        Input("structure-disorder", "value"),
        State("structure", "data"),
        prevent_initial_call=True,
    )
    def _(files: Any, _taken: Any, disorder: str, before: Any) -> tuple[Any, Any, Any]:
        asked = ctx.triggered_id
        given: dict[str, Any] = {"disorder": disorder}
        if asked == "structure-files" and files:
            given |= {"upload": files[0]["id"]}
        elif isinstance(asked, dict) and ctx.triggered[0]["value"]:
            given |= {"name": asked["take"]}
        elif asked == "structure-disorder" and before:
            given = {**_named(before), **given}
        else:
            return no_update, no_update, no_update
        try:
            found = page.queue.ask("read_structure", given, _files(page, given))
        except (XanesflowError, OSError) as error:
            return {"given": given} if asked != "structure-disorder" else no_update, sentence_about(error), no_update
        return {"given": given, "found": found}, "", None

    @app.callback(
        Output("structure-about", "children"),
        Output("structure-next", "hidden"),
        Output("structure-element", "options"),
        Output("structure-element", "value"),
        Input("structure", "data"),
    )
    def _(structure: Any) -> tuple[Any, bool, list[str], str | None]:
        found = (structure or {}).get("found")
        if not found:
            return None, not structure, [], None
        return _about(found), False, found["elements"], next(iter(found["elements"]), None)

    @app.callback(
        Output("structure-time", "children"),
        Input("structure-element", "value"),
        Input("structure-method", "value"),
        State("structure", "data"),
    )
    def _(element: str | None, method: str, structure: Any) -> str:
        if not element or not structure or method.startswith("model:"):
            return ""
        try:
            given, files = _given(page, structure, element, method)
            said = page.queue.ask("expect_time", given, files)
        except (XanesflowError, OSError) as error:
            return sentence_about(error)
        return " ".join([said["said"], *said["notes"]])

    @app.callback(
        Output("structure-refused", "children"),
        Output("acted", "data", allow_duplicate=True),
        Input("structure-compute", "n_clicks"),
        State("structure-element", "value"),
        State("structure-method", "value"),
        State("structure", "data"),
        prevent_initial_call=True,
    )
    def _(_clicks: int, element: str | None, method: str, structure: Any) -> tuple[str, Any]:
        if not (structure or {}).get("found") or not element:
            return "Give a structure first, with an element whose K edge can be computed.", no_update
        try:
            given, files = _given(page, structure, element, method)
            kind = KINDS[method.startswith("model:")]
            found, by = structure["found"], given.get("theory") or Path(given["model"]).name
            title = f"{found['formula']} ({found['name']}), {element} K edge, {by}"
            job = page.queue.add(session(), kind, title, given, files)
        except (XanesflowError, OSError) as error:
            return sentence_about(error), no_update
        return "", job.id

    @app.callback(
        Output("structure-jobs", "children"),
        Output("structure-drawn", "options"),
        Output("structure-drawn", "value"),
        Input("jobs", "data"),
        State("structure-drawn", "options"),
        State("structure-drawn", "value"),
    )
    def _(_jobs: Any, before: Any, drawn: Any) -> tuple[Any, Any, Any]:
        own = [job for job in page.queue.shown(session()) if job["kind"] in KINDS]
        results = {job["id"]: page.queue.result(session(), job["id"]) for job in own}
        shown = [
            pieces.job_card(job, result, list(page.queue.files(session(), job["id"])), more=[_rows(job["id"], result)])
            for job, result in zip(own, results.values(), strict=True)
        ]
        options = {job["id"]: job["title"] for job in own if results[job["id"]].get("curves")}
        new = [name for name in options if name not in (before or {})]
        return shown, options, [name for name in options if name in new or name in (drawn or [])]

    @app.callback(
        Output("structure-spectra", "figure"),
        Input("jobs", "data"),
        Input("structure-drawn", "value"),
        Input("structure-shown", "value"),
        Input("structure-sites", "value"),
    )
    def _(_jobs: Any, drawn: list[str] | None, shown: str, sites: list[str]) -> Any:
        own = [job for job in page.queue.shown(session()) if job["id"] in (drawn or [])]
        results = {job["id"]: page.queue.result(session(), job["id"]) for job in own}
        return _figure(own, results, shown, with_sites=bool(sites))


def _named(structure: Any) -> dict[str, Any]:
    """What the browser says was given. Anything else that it sends, such as a path, is left out."""
    return {key: str(value) for key, value in structure["given"].items() if key in ("upload", "name", "disorder")}


def _files(page: Page, given: dict[str, Any]) -> dict[str, list[Path]]:
    """The uploads that a worker reads."""
    return {"files": [page.uploads.path(session(), given["upload"])]} if "upload" in given else {}


def _given(page: Page, structure: Any, element: str, method: str) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    """What the worker gets that computes or predicts, and the files that it reads."""
    given = {**_named(structure), "element": element}
    files = _files(page, given)
    kind, _, number = method.partition(":")
    if kind == "model":
        return {**given, "model": page.settings.models[int(number)]}, files
    cache = page.settings.cache
    return {**given, "theory": method, "options": {}, "cache": cache and str(cache)}, files


def _found_table(found: dict[str, Any]) -> Any:
    """What a search found, each with a button that takes it."""
    rows = [
        [
            html.Button(row[0], id={"take": row[0]}, type="button", className="quiet"),
            [html.B(row[1]), f" {', '.join(filter(None, row[2:4]))}", html.Div(row[4], className="soft small")],
        ]
        for row in found["found"]
    ]
    more = "" if found["number"] == len(rows) else f", the first {len(rows)} are shown; write more words"
    return [
        html.P(f"{plural(found['number'], 'structure')} found{more}.", className="soft"),
        pieces.table("Structures found", ["take", "structure and reference"], rows),
    ]


def _about(found: dict[str, Any]) -> Any:
    """What the structure is: facts, notes, its cell, and its sites."""
    a, b, c, *angles = found["cell"]
    facts = {
        "space group": found["group"],
        "density": f"{found['density']:.3f} g/cm³",
        "cell": f"{a:.4f}, {b:.4f}, {c:.4f} Å; {', '.join(f'{each:.2f}' for each in angles)}°",
        "atoms in the cell": str(found["atoms"]),
        "read from": found["source"],
    }
    sites = [
        [f"{site['element']} {site['index']}", site["multiplicity"], site["neighbours"]] for site in found["sites"]
    ]
    about = [{"tabIndex": "0", "data-site": f"0-{site['index']}"} for site in found["sites"]]
    drawn = dcc.Graph(
        figure=plots.cell(found["picture"], next(iter(found["elements"]), "")), id="structure-cell",
        config={"displayModeBar": False, "responsive": True}, style={"height": "300px"}, clear_on_unhover=True,
    )  # fmt: skip
    return [
        html.H3(found["formula"]),
        html.Dl([part for name, said in facts.items() for part in (html.Dt(name), html.Dd(said))]),
        *(html.P(each, className="remark") for each in found["notes"]),
        html.Div(drawn, role="figure", **pieces.told(aria_label=f"Cell of {found['formula']}", data_cell="1")),
        pieces.table("Absorbing sites", ["site", "atoms", "neighbours"], sites, about),
    ]


def _rows(job: str, result: dict[str, Any]) -> Any:
    """A row for each site of a result."""
    columns = result.get("columns", [])
    rows = [[row["site"], *(row.get(name, "") for name in columns)] for row in result.get("rows", ())]
    about = [{"tabIndex": "0", "data-site": f"{job}:{row['key']}"} for row in result.get("rows", ())]
    return pieces.table("Sites", ["site", *columns], rows, about)


def _figure(jobs: list[Any], results: dict[str, Any], shown: str, *, with_sites: bool) -> dict[str, Any]:
    """The chosen spectra, laid over one another."""
    traces = []
    scale = 1.0 if shown == "normalised" else 1e3
    for number, job in enumerate(jobs):
        result, several = results[job["id"]], len(jobs) > 1
        mean = result.get("mean")
        first = plots.COLOURS[number % len(plots.COLOURS)] if several else plots.INK
        one_by_one = with_sites and len(result["curves"]) > 1
        curves = result["curves"] if shown != "normalised" and (one_by_one or not mean) else []
        for k, curve in enumerate(curves):
            colour = first if several else plots.COLOURS[k % len(plots.COLOURS)]
            values = [scale * value for value in curve["cross_section"]]
            traces.append(
                plots.trace(curve["energy"], values, curve["name"], colour, 1.2, site=f"{job['id']}:{curve['key']}")
            )
        if (mean and shown in mean) or (mean and shown == "background"):
            key = "normalised" if shown == "normalised" else "cross_section"
            energy = mean["normalised_energy" if shown == "normalised" else "energy"]
            name = job["title"] if several else "average" if len(result["curves"]) > 1 else result["curves"][0]["name"]
            traces.append(plots.trace(energy, [scale * value for value in mean[key]], name, first, 2.4))
            if key == "cross_section" and mean.get("band"):
                low, high = ([scale * value for value in ends] for ends in mean["band"])
                traces += plots.band(energy, low, high, first)
            if shown == "background" and mean.get("background"):
                values = [scale * value for value in mean["background"]]
                name = f"background{' of ' + job['title'] if several else ''}"
                traces.append(plots.trace(mean["normalised_energy"], values, name, first, 1.2, line={"dash": "dash"}))
    title = "Normalised absorption" if shown == "normalised" else "Cross section (10⁻³ bohr²)"
    nothing = "Spectra that you compute are drawn here."
    return plots.spectra(traces, title, empty="These are not normalised (yet)." if jobs else nothing)
