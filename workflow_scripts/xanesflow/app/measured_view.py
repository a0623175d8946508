"""Measured → answer: scans are read and normalised, then matched, mixed or interpreted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dash import ALL, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from xanesflow.app import pieces
from xanesflow.app.measured_shown import HANDLES, answer, overlay, seen
from xanesflow.app.measured_shown import numbers as shown_numbers
from xanesflow.app.security import session
from xanesflow.app.shared_page import Page
from xanesflow.config.result_paths import trained_interpreters
from xanesflow.core.errors import XanesflowError, sentence_about
from xanesflow.core.limits import MEASURED_FILE, measured_file_too_large
from xanesflow.core.text import plural

KINDS = ("match_scans", "mix_scans", "interpret_scans", "write_scans")

MODES = {
    "": "as found", "transmission": "transmission", "fluorescence": "fluorescence", "reference": "reference",
    "mu": "µ", "normalised": "normalised",
}  # fmt: skip
LIBRARIES = ["examples", "minerals"]
UNITS = {"": "as found", "eV": "eV", "keV": "keV", "deg": "angles"}
FORM = ("columns", "mode", "energy_unit", "d_spacing", "element", "groups")
_NO_MODEL = (
    "There is no interpreter for {}: make one with `snakemake interpretation` in the campaign that this page shows "
    "(`xanesflow app --campaign DIR`)."
)


def _field(name: str, label: str, kind: Any = "text", **more: Any) -> html.Div:
    field = dcc.Input(type=kind, id=f"measured-{name}", **more)
    return html.Div([html.Label(label, htmlFor=f"measured-{name}"), field], className="field")


def _choice(name: str, label: str, options: dict[str, str], value: str) -> html.Fieldset:
    radio = dcc.RadioItems(options, value, id=f"measured-{name}", inline=True)
    return html.Fieldset([html.Legend(label), radio], className="field")


def _button(name: str, label: str, style: str = "main") -> html.Button:
    return html.Button(label, id=f"measured-{name}", type="button", className=style)


def layout(page: Page) -> Any:
    """The view."""
    form = html.Details(
        [
            html.Summary("How the files are read"),
            _field("columns", "Columns (--columns)", placeholder="energy=1,i0=2,it=3"),
            _choice("mode", "Signal (--mode)", MODES, ""),
            _choice("energy_unit", "Energies (--energy-unit)", UNITS, ""),
            _field("d_spacing", "Spacing of the monochromator for angles, Å (--d-spacing)", "number", min=0.1, max=20),
            _field("element", "Absorber (--element)", placeholder="Fe"),
            html.Fieldset(
                [
                    html.Legend("Groups of the project (--group)"),
                    dcc.Checklist([], [], id="measured-groups", className="scroll"),
                ],
                id="measured-grouped", className="field",
            ),
            _button("read", "Read again", ""),
        ],
        id="measured-form",
    )  # fmt: skip

    ranges = (
        {"e0": "E0 (eV)"},
        {"pre_0": "Before the edge, eV from E0", "pre_1": "to"},
        {"post_0": "After the edge, eV from E0", "post_1": "to"},
    )
    normalisation = [
        html.H2("2. Normalisation"),
        html.P("Move the line and the bands in the figure, or write numbers.", className="soft"),
        *(
            html.Div([_field(name, said, "number", step="any", debounce=True) for name, said in each.items()])
            for each in ranges
        ),
        html.Div([_button("reset", "As found", ""), _button("write", "Write files", "")], className="row"),
    ]
    match = html.Details(
        [
            html.Summary("Match: which structure is it?"),
            html.Fieldset(
                [
                    html.Legend("Candidates"),
                    dcc.Checklist(LIBRARIES, LIBRARIES[:1], id="measured-libraries", inline=True),
                ],
                className="field",
            ),
            pieces.drop("measured-structures", "structure", "… and structure files of your own", several=True),
            html.P(id="measured-structures-kept", className="soft"),
            _field("contains", "Elements that the sample contains", placeholder="Fe,O"),
            _field("max_atoms", "Most atoms in the cell", "number", min=1, step=1),
            _button("match", "Match"),
        ],
        open=True,
    )
    standards = html.Details(
        [
            html.Summary("Mix: which of my standards make it up?"),
            pieces.drop("measured-standards", "measured", "Measured spectra of known samples", several=True),
            html.P(id="measured-standards-kept", className="soft"),
            _field("most", "Most standards in a combination", "number", value=3, min=1, max=4, step=1),
            dcc.Checklist({"sum": "fractions add up to 1"}, [], id="measured-sum"),
            html.Div(
                [_button("mix", "Mix"), _button("rank", "Rank single standards", "")], className="row", role="group"
            ),
        ]
    )
    interpret = html.Details(
        [
            html.Summary("Interpret: what is its site like?"),
            html.P(id="measured-no-model", className="soft"),
            html.Div(
                [_choice("model", "Model", {}, ""), _button("interpret", "Interpret")],
                id="measured-interpretable",
                hidden=True,
            ),
        ]
    )
    left = [
        html.H2("1. Scans"),
        pieces.drop("measured-files", "measured", "Measured scans: XDI, Athena, .nor or columns", several=True),
        pieces.error("measured-error"),
        form,
        dcc.Store(id="measured", storage_type="session"),
        html.Div(
            [
                html.Div(id="measured-about"),
                html.Div(dcc.RadioItems([], None, id="measured-shown"), className="scroll", id="measured-several"),
                html.Div(normalisation, className="ends"),
                html.H2("3. Answer"),
                match,
                standards,
                interpret,
                pieces.error("measured-refused"),
            ],
            id="measured-next",
            hidden=True,
        ),
    ]
    right = [
        html.H2("Spectrum"),
        pieces.graph("measured-spectrum", "Scan and its normalisation", 520, edits={"shapePosition": True}),
        html.Div(
            [html.H2("Answer"), pieces.graph("measured-answer", "Measured spectrum and what was laid over it")],
            id="measured-answered",
            hidden=True,
        ),
        dcc.Store(id="measured-laid"),
        html.Ul(id="measured-jobs", className="jobs"),
    ]
    return html.Div([html.Div(left), html.Div(right)], className="columns")


def callbacks(page: Page) -> None:
    """Register its callbacks."""
    page.uploads.limits["measured"] = (MEASURED_FILE, measured_file_too_large)
    _of_scans(page)
    _of_answers(page)


def _of_scans(page: Page) -> None:
    """Three callbacks: in one, what moves while files are read would end the reading."""
    app = page.app

    def read(now: dict[str, Any]) -> dict[str, Any]:
        """What the library says of the scans, or its sentence."""
        try:
            paths = [page.uploads.path(session(), each["id"]) for each in now["files"]]
            found = page.queue.ask("read_scans", {"how": now["how"], "only": now.get("only")}, {"scans": paths})
        except (XanesflowError, OSError) as error:
            return {"error": sentence_about(error), "failed": {}, "groups": []}
        return dict(found)

    @app.callback(
        output=Output("measured", "data", allow_duplicate=True),
        inputs={
            "files": Input("measured-files", "data"),
            "clicks": Input("measured-read", "n_clicks"),
            "before": State("measured", "data"),
            "form": {name: State(f"measured-{name}", "value") for name in FORM},
        },
        prevent_initial_call=True,
    )
    def _(*, files: Any, clicks: Any, before: Any, form: Any) -> dict[str, Any]:
        how = {name: value for name, value in form.items() if value not in ("", None, [])}
        if ctx.triggered_id == "measured-files":
            how.pop("groups", None)
        else:
            files = (before or {}).get("files")
        if not files:
            raise PreventUpdate
        now = {"files": files, "how": how}
        return {**now, "found": read(now)}

    @app.callback(
        output={
            "error": Output("measured-error", "children"),
            "numbers": {name: Output(f"measured-{name}", "value") for name in HANDLES},
            "off": {name: Output(f"measured-{name}", "disabled") for name in HANDLES},
            "figure": Output("measured-spectrum", "figure"),
            "about": Output("measured-about", "children"),
            "scans": Output("measured-shown", "options"),
            "shown": Output("measured-shown", "value"),
            "one": Output("measured-several", "hidden"),
            "groups": Output("measured-groups", "options"),
            "chosen": Output("measured-groups", "value"),
            "grouped": Output("measured-grouped", "hidden"),
            "form": Output("measured-form", "open"),
            "hidden": Output("measured-next", "hidden"),
        },
        inputs={"measured": Input("measured", "data")},
    )
    def _(*, measured: Any) -> dict[str, Any]:
        measured = measured or {}
        failed = measured.get("found", {}).get("failed") and "only" not in measured
        return seen(measured, form=bool(failed))

    @app.callback(
        output=Output("measured", "data", allow_duplicate=True),
        inputs={
            "reset": Input("measured-reset", "n_clicks"),
            "numbers": {name: Input(f"measured-{name}", "value") for name in HANDLES},
            "moved": Input("measured-spectrum", "relayoutData"),
            "shown": Input("measured-shown", "value"),
            "before": State("measured", "data"),
        },
        prevent_initial_call=True,
    )
    def _(*, reset: Any, numbers: Any, moved: Any, shown: Any, before: Any) -> dict[str, Any]:
        if not (before or {}).get("found", {}).get("shown"):
            raise PreventUpdate
        asked = str(ctx.triggered_id).removeprefix("measured-")
        how = _handled(asked, before, numbers, moved)
        at = [int(each) for each in shown.split("-")] if asked == "shown" else before["found"]["shown"]["at"]
        if how == before["how"] and at == before["found"]["shown"]["at"]:
            raise PreventUpdate
        found = read({**before, "how": how, "only": at})
        said = " ".join([*found["failed"].values(), found.get("error", "")]).strip()
        kept = {**before["found"], "error": said, "shown": found.get("shown", before["found"]["shown"])}
        return {"files": before["files"], "how": how, "only": at, "found": kept}


def _of_answers(page: Page) -> None:
    app = page.app

    @app.callback(
        *(Output(f"measured-{name}-kept", "children") for name in ("structures", "standards")),
        *(Input(f"measured-{name}", "data") for name in ("structures", "standards")),
    )
    def _(*given: Any) -> Any:
        return [
            f"{plural(len(files), 'file')}: {', '.join(each['name'] for each in files[:8])}{', …' * (len(files) > 8)}"
            if files else "" for files in given
        ]  # fmt: skip

    @app.callback(
        Output("measured-model", "options"),
        Output("measured-model", "value"),
        Output("measured-no-model", "children"),
        Output("measured-interpretable", "hidden"),
        Input("measured", "data"),
    )
    def _(measured: Any) -> tuple[list[str], str | None, str, bool]:
        element = (measured or {}).get("found", {}).get("shown", {}).get("element", "")
        names = [each.name for each in _models(page) if re.search(f"-({element}_[^-]*|all)-", each.name)]
        return names, next(iter(names), None), "" if names else _NO_MODEL.format(element), not names

    @app.callback(
        output=[Output("measured-refused", "children"), Output("acted", "data", allow_duplicate=True)],
        inputs={
            "clicks": [
                Input(f"measured-{name}", "n_clicks") for name in ("match", "rank", "mix", "interpret", "write")
            ],
            "measured": State("measured", "data"),
            "form": {
                name: State(f"measured-{name}", "value")
                for name in ("libraries", "contains", "max_atoms", "most", "sum", "model")
            },
            "own": {name: State(f"measured-{name}", "data") for name in ("structures", "standards")},
        },
        prevent_initial_call=True,
    )
    def _(*, clicks: Any, measured: Any, form: Any, own: Any) -> tuple[str, Any]:
        asked = str(ctx.triggered_id).removeprefix("measured-")
        try:
            kind, title, given, needed = _wanted(page, asked, form, own["structures"] or [], own["standards"] or [])
            failed = measured["found"]["failed"]
            scans = [each for k, each in enumerate(measured["files"]) if str(k) not in failed]
            files = {
                name: [page.uploads.path(session(), each["id"]) for each in each_kind]
                for name, each_kind in {"scans": scans, **needed}.items()
            }
            name = scans[0]["name"] if len(scans) == 1 else plural(len(scans), "scan")
            job = page.queue.add(session(), kind, f"{name}: {title}", {**given, "how": measured["how"]}, files)
        except (XanesflowError, OSError) as error:
            return sentence_about(error), no_update
        return "", job.id

    @app.callback(
        Output("measured-jobs", "children"),
        Output("measured-answer", "figure"),
        Output("measured-laid", "data"),
        Output("measured-answered", "hidden"),
        Input("jobs", "data"),
        Input({"lay": ALL, "row": ALL}, "n_clicks"),
        State("measured-laid", "data"),
    )
    def _(_jobs: Any, _clicks: Any, laid: Any) -> tuple[Any, Any, Any, bool]:
        own = [job for job in page.queue.shown(session()) if job["kind"] in KINDS]
        results = {job["id"]: page.queue.result(session(), job["id"]) for job in own}
        if isinstance(ctx.triggered_id, dict) and ctx.triggered[0]["value"]:
            laid = {"job": ctx.triggered_id["lay"], "row": ctx.triggered_id["row"], "newest": own[0]["id"]}
        drawn = [job["id"] for job in own if results[job["id"]].get("rows")]
        if not laid or laid["job"] not in drawn or (drawn[0] != laid["job"] and own[0]["id"] != laid["newest"]):
            laid = {"job": drawn[0], "row": 0, "newest": own[0]["id"]} if drawn else None
        drawing = [
            pieces.job_card(
                job, results[job["id"]], list(page.queue.files(session(), job["id"])),
                [*answer(job["id"], results[job["id"]], laid["row"] if laid and laid["job"] == job["id"] else -1)],
            )
            for job in own
        ]  # fmt: skip
        return drawing, overlay(results[laid["job"]], laid["row"]) if laid else no_update, laid, not laid


def _models(page: Page) -> list[Path]:
    """The interpreters of the campaign that the page shows, the preferred first."""
    kinds = trained_interpreters(page.settings.campaign) if page.settings.campaign else []
    return [path.resolve() for paths in kinds for path in paths]


def _wanted(page: Page, asked: str, form: dict[str, Any], structures: list[Any], standards: list[Any]) -> Any:
    """Kind and title of a job, what it is given, and the files that it needs besides the scans.

    Raises:
        XanesflowError: something is missing.
    """
    cache = page.settings.cache and str(page.settings.cache)
    if asked == "match":
        libraries = [each for each in LIBRARIES if each in form["libraries"]]  # no path that a browser sends
        if not libraries and not structures:
            raise XanesflowError("Choose examples or minerals as candidates, or give structure files.")
        given = {"libraries": libraries, "max_atoms": form["max_atoms"], "cache": cache}
        title = " and ".join([*libraries, *[plural(len(structures), "structure file")] * bool(structures)])
        given["contains"] = (form["contains"] or "").strip()
        return "match_scans", f"match with {title}", given, {"structures": structures}
    if asked in ("rank", "mix"):
        if not standards:
            raise XanesflowError("Give measured spectra of known samples first.")
        number = plural(len(standards), "file") + " of standards"
        if asked == "rank":
            return "match_scans", f"match with {number}", {"measured": True}, {"standards": standards}
        given = {"most": form["most"] or 3, "sum_to_one": bool(form["sum"])}
        return "mix_scans", f"mixture of {number}", given, {"standards": standards}
    if asked == "interpret":
        model = next((each for each in _models(page) if each.name == form["model"]), None)
        if model is None:
            raise XanesflowError(_NO_MODEL.format("these scans"))
        return "interpret_scans", f"interpretation by {model.stem}", {"model": str(model)}, {}
    return "write_scans", "normalised", {}, {}


def _handled(asked: str, before: dict[str, Any], numbers: dict[str, Any], moved: Any) -> dict[str, Any]:
    """How scans are normalised after a handle was moved or a number written."""
    how, shown = dict(before["how"]), before["found"]["shown"]
    ends = {name: list(how.get(name) or shown[name]) for name in ("pre", "post")}
    if asked == "reset":
        return {name: value for name, value in how.items() if name not in ("e0", *ends)}
    if asked == "spectrum":
        for key, value in (moved or {}).items():
            if match := re.fullmatch(r"shapes\[([012])\]\.x([01])", key):
                name, side = ("pre", "post", "e0")[int(match[1])], int(match[2])
                if name == "e0" and abs(value - shown["e0"]) > 0.005:
                    how["e0"] = round(value, 2)
                elif name != "e0" and abs(away := value - shown["e0"] - shown[name][side]) > 0.05:
                    ends[name][side] = round(ends[name][side] + away, 1)
                    how[name] = sorted(ends[name])
    elif asked in HANDLES and numbers[asked] != shown_numbers(before)[asked]:
        name, _, end = asked.partition("_")
        value = numbers[asked]
        if value is None:
            how.pop(name, None)
        elif not end:
            how[name] = value
        else:
            ends[name][int(end)] = value
            how[name] = ends[name]
    return how
