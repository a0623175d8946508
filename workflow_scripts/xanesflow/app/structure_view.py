"""Structure → spectrum: a structure is given or found, its spectra are computed or predicted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dash import ALL, ClientsideFunction, Input, Output, State, ctx, dcc, html, set_props
from dash.exceptions import PreventUpdate

from xanesflow.app import pieces, plots
from xanesflow.app.shared_page import Page
from xanesflow.codes.single_sites import single_site_theories
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural

KINDS = ("compute_spectra", "predict_spectra")

SHOWN = {"cross_section": "cross section", "background": "with background", "normalised": "normalised"}
DISORDER = {"refuse": "refused", "ordered": "ordered by electrostatic energy", "random": "filled at random, 4 cells"}


def layout(page: Page) -> Any:
    """The view."""
    # What can compute or predict: theories, the quickest first, and the models that the command names.
    computed = sorted(single_site_theories(), key=lambda each: each.core_hours or math.inf)
    methods = {each.name: each.title for each in computed}
    methods |= {f"model:{k}": f"trained model {Path(name).name}" for k, name in enumerate(page.settings.models)}

    # On the left: a structure is given or found, and then how its spectrum is made.
    elements = pieces.field("structure-elements", "… with all of the elements", value="", placeholder="Cu O")
    following = [
        html.H2("2. Spectrum"),
        pieces.choice("structure-element", "Absorber", {}, ""),
        pieces.choice("structure-method", "By", methods, computed[0].name, inline=False),
        pieces.folded(
            "Partly occupied sites",
            pieces.choice("structure-disorder", "They are", DISORDER, "refuse", inline=False),
        ),
        html.P(id="structure-time", className="soft", role="status"),
        pieces.button("structure-compute", "Compute", "main"),
        pieces.error("structure-refused"),
    ]
    left = [
        html.H2("1. Structure"),
        pieces.drop("structure-files", "structure", "Drop a structure file: CIF, POSCAR, JSON, xyz or vasprun.xml"),
        pieces.field("structure-words", "… or search by name or formula", value="", placeholder="cuprite"),
        html.Div([elements, pieces.button("structure-search", "Search")], className="row"),
        pieces.error("structure-error"),
        html.Div(id="structure-found"),
        dcc.Store(id="structure", storage_type="session"),
        html.Div(id="structure-about"),
        html.Div(following, id="structure-next", hidden=True),
    ]

    # On the right: the spectra, what of them is drawn, and the jobs.
    ways = pieces.choice("structure-shown", "Show", SHOWN, "cross_section")
    sites = pieces.choice("structure-sites", "", {"sites": "each site"}, ["sites"], several=True)
    drawn = pieces.choice("structure-drawn", "Drawn", {}, [], several=True, inline=False)
    right = [
        html.H2("Spectra"),
        html.Div([html.Div([ways, sites], className="row"), drawn], id="structure-choices", hidden=True),
        html.Div(pieces.graph("structure-spectra", "Spectra"), **pieces.hyphenated(data_lights="1")),
        html.Ul(id="structure-jobs", className="jobs"),
    ]
    return html.Div([html.Div(left), html.Div(right)], className="columns")


def callbacks(page: Page) -> None:
    """Register its callbacks."""
    _of_structures(page)
    _of_spectra(page)
    page.app.clientside_callback(ClientsideFunction("page", "light"), Input({"cell": ALL}, "hoverData"))


def _of_structures(page: Page) -> None:
    # Words and elements find structures.
    @page.callback(
        Output("structure-found", "children"),
        Input("structure-search", "n_clicks"),
        Input("structure-words", "n_submit"),
        Input("structure-elements", "n_submit"),
        State("structure-words", "value"),
        State("structure-elements", "value"),
        error="structure-error",
        prevent_initial_call=True,
    )
    def _(_clicks: int, _enter: int, _again: int, words: str, elements: str) -> Any:
        return _found_table(page.queue.ask("search_structures", {"words": words or "", "elements": elements or ""}))

    # A file, or one of those found, is read; anew if its partly occupied sites shall be treated otherwise.
    @page.callback(
        Output("structure", "data"),
        Output("structure-found", "children", allow_duplicate=True),
        Input("structure-files", "data"),
        Input({"take": ALL}, "n_clicks"),
        Input("structure-disorder", "value"),
        State("structure", "data"),
        error="structure-error",
        prevent_initial_call=True,
    )
    def _(files: Any, _taken: Any, disorder: str, before: Any) -> tuple[Any, Any]:
        asked = ctx.triggered_id
        if asked == "structure-files" and files:
            given = {"upload": files[0]["id"]}
        elif isinstance(asked, dict) and ctx.triggered[0]["value"]:
            given = {"name": asked["take"]}
        elif asked == "structure-disorder" and before:
            given = _named(before)
        else:
            raise PreventUpdate
        given = _named({"given": {**given, "disorder": disorder}})
        try:
            found = page.queue.ask("read_structure", given, _files(page, given))
        except (XanesflowError, OSError):
            if asked != "structure-disorder":  # which may be what the file needs
                set_props("structure", {"data": {"given": given}})
            raise
        return {"given": given, "found": found}, None

    # What was read is described, and its elements are offered.
    @page.app.callback(
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

    # The expected time follows element and method.
    @page.callback(
        Output("structure-time", "children"),
        Input("structure-element", "value"),
        Input("structure-method", "value"),
        State("structure", "data"),
        error="structure-time",
    )
    def _(element: str | None, method: str, structure: Any) -> str:
        if not element or not structure or str(method).startswith("model:"):
            return ""
        said = page.queue.ask("expect_time", *_given(page, structure, element, method))
        return " ".join([said["said"], *said["notes"]])


def _of_spectra(page: Page) -> None:
    # The button queues a job.
    @page.callback(
        Input("structure-compute", "n_clicks"),
        State("structure-element", "value"),
        State("structure-method", "value"),
        State("structure", "data"),
        error="structure-refused",
        prevent_initial_call=True,
    )
    def _(_clicks: int, element: str | None, method: str, structure: Any) -> None:
        found = (structure or {}).get("found")
        if not found or not element:
            raise XanesflowError("Give a structure first, with an element whose K edge can be computed.")
        given, files = _given(page, structure, element, method)
        by = given.get("theory") or Path(given["model"]).name
        title = f"{found['formula']} ({found['name']}), {element} K edge, {by}"
        page.add(KINDS["model" in given], title, given, files)

    # Jobs are shown; a new one with curves is also drawn.
    @page.app.callback(
        Output("structure-jobs", "children"),
        Output("structure-drawn", "options"),
        Output("structure-drawn", "value"),
        Output("structure-choices", "hidden"),
        Input("jobs", "data"),
        State("structure-drawn", "options"),
        State("structure-drawn", "value"),
    )
    def _(_jobs: Any, before: Any, drawn: Any) -> tuple[Any, Any, Any, bool]:
        own = page.jobs(KINDS)
        options = {job["id"]: job["title"] for job in own if job["result"].get("curves")}
        chosen = [name for name in options if name not in (before or {}) or name in (drawn or [])]
        return [pieces.job_card(job, [_rows(job)]) for job in own], options, chosen, not options

    # The figure shows what is ticked.
    @page.app.callback(
        Output("structure-spectra", "figure"),
        Input("jobs", "data"),
        Input("structure-drawn", "value"),
        Input("structure-shown", "value"),
        Input("structure-sites", "value"),
    )
    def _(_jobs: Any, drawn: list[str] | None, shown: str, sites: list[str]) -> Any:
        chosen = [job for job in page.jobs(KINDS) if job["id"] in (drawn or [])]
        return _figure(chosen, shown, with_sites=bool(sites))


def _named(structure: Any) -> dict[str, Any]:
    """What the browser says was given. Anything else that it sends, such as a path, is left out.

    Raises:
        XanesflowError: partly occupied sites are treated in no such way.
    """
    if structure["given"].get("disorder", "refuse") not in list(DISORDER):
        raise XanesflowError(f"Partly occupied sites are {' or '.join(DISORDER)}; choose one of these.")
    return {key: str(value) for key, value in structure["given"].items() if key in ("upload", "name", "disorder")}


def _files(page: Page, given: dict[str, Any]) -> dict[str, list[Path]]:
    """The uploads that a worker reads."""
    return {"files": page.paths([{"id": given["upload"]}])} if "upload" in given else {}


def _given(page: Page, structure: Any, element: str, method: str) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    """What the worker gets that computes or predicts, and the files that it reads.

    Raises:
        XanesflowError: the page has no such model, or a file is not kept any more.
    """
    given = {**_named(structure), "element": element}
    files = _files(page, given)
    kind, _, number = str(method).partition(":")
    if kind == "model":
        models = {str(k): model for k, model in enumerate(page.settings.models)}
        if number not in models:
            raise XanesflowError("This page has no such model; choose one of the list.")
        return {**given, "model": models[number]}, files
    cache = page.settings.cache
    return {**given, "theory": str(method), "cache": cache and str(cache)}, files


def _found_table(found: dict[str, Any]) -> Any:
    """What a search found, each with a button that takes it."""
    rows = [
        [
            html.Button(name, id={"take": name}, type="button", className="quiet"),
            [html.B(formula), f" {', '.join(filter(None, about))}", html.Div(reference, className="soft small")],
        ]
        for name, formula, *about, reference in found["found"]
    ]
    more = "" if found["number"] == len(rows) else f", the first {len(rows)} are shown; write more words"
    return [
        html.P(f"{plural(found['number'], 'structure')} found{more}. Take one:", className="soft"),
        pieces.table("Structures found", ["take", "structure and reference"], rows),
    ]


def _about(found: dict[str, Any]) -> Any:
    """What the structure is: facts, notes, its cell, and its sites."""
    sites = [
        [f"{each['element']} {each['index']}", each["multiplicity"], each["neighbours"]] for each in found["sites"]
    ]
    about = [{"tabIndex": "0", "data-site": f"0-{each['index']}"} for each in found["sites"]]
    drawn = dcc.Graph(
        figure=plots.cell(found["picture"], next(iter(found["elements"]), "")), id={"cell": "structure"},
        config={"displayModeBar": False, "responsive": True, "scrollZoom": False},
        style={"height": "300px"}, clear_on_unhover=True,
    )  # fmt: skip
    return [
        html.H3(found["formula"]),
        pieces.facts(found["facts"]),
        *pieces.remarks(found["notes"]),
        html.Div(drawn, role="figure", **pieces.hyphenated(aria_label=f"Cell of {found['formula']}", data_cell="1")),
        pieces.table("Absorbing sites", ["site", "atoms", "neighbours"], sites, about),
    ]


def _rows(job: dict[str, Any]) -> Any:
    """A row for each site of a result."""
    columns, rows = job["result"].get("columns", []), job["result"].get("rows", ())
    cells = [[row["site"], *(row.get(name, "") for name in columns)] for row in rows]
    about = [{"tabIndex": "0", "data-site": f"{job['id']}:{row['key']}"} for row in rows]
    return pieces.table("Sites", ["site", *columns], cells, about)


def _figure(jobs: list[dict[str, Any]], shown: str, *, with_sites: bool) -> dict[str, Any]:
    """The chosen spectra, laid over one another: averages as thick lines, sites as thin ones."""
    jobs = [job for job in jobs if job["result"].get("curves")]  # work that was started again may still be ticked
    traces: list[dict[str, Any]] = []
    normal, several = shown == "normalised", len(jobs) > 1
    scale = 1.0 if normal else 1e3

    def draw(energy: Any, values: Any, *about: Any, **more: Any) -> None:
        traces.append(plots.trace(energy, [scale * each for each in values], *about, **more))

    for number, job in enumerate(jobs):
        # Sites, thin. They have no normalised spectra of their own.
        curves, mean = job["result"]["curves"], job["result"].get("mean") or {}
        own = plots.COLOURS[number % len(plots.COLOURS)] if several else plots.INK
        if not normal and (not mean or (with_sites and len(curves) > 1)):
            for k, curve in enumerate(curves):
                colour = own if several else plots.COLOURS[k % len(plots.COLOURS)]
                site = f"{job['id']}:{curve['key']}"
                draw(curve["energy"], curve["cross_section"], curve["name"], colour, 1.2, site=site)

        # Their average, thick, with its error band or its background.
        name = job["title"] if several else "average" if len(curves) > 1 else curves[0]["name"]
        if normal:
            if "normalised" in mean:
                draw(mean["normalised_energy"], mean["normalised"], name, own, 2.4)
        elif mean:
            draw(mean["energy"], mean["cross_section"], name, own, 2.4)
            if mean.get("band"):
                low, high = ([scale * value for value in ends] for ends in mean["band"])
                traces += plots.band(mean["energy"], low, high, own)
            if shown == "background" and mean.get("background"):
                name = f"background{' of ' + job['title'] if several else ''}"
                draw(mean["normalised_energy"], mean["background"], name, own, 1.2, line={"dash": "dash"})
    title = "Normalised absorption" if normal else "Cross section (10⁻³ bohr²)"
    nothing = "Give or find a structure, and compute its spectra: they are drawn here."
    return plots.spectra(traces, title, empty="These are not normalised (yet)." if jobs else nothing)
