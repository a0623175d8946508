"""Measured → answer: scans are read and normalised, then matched, mixed or interpreted."""

from __future__ import annotations

import re
from typing import Any

from dash import ALL, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from xanesflow.app import pieces
from xanesflow.app.measured_asked import (
    DECIMALS,
    LIBRARIES,
    MODES,
    MOST_STANDARDS,
    NO_MODEL,
    OWN,
    SPACING,
    UNITS,
    checked_how,
    interpreters,
    wanted,
)
from xanesflow.app.measured_shown import HANDLES, RANGES, answer, handled, overlay, seen, still_set
from xanesflow.app.shared_page import Page
from xanesflow.core.errors import XanesflowError, sentence_about
from xanesflow.core.text import plural

KINDS = ("match_scans", "mix_scans", "interpret_scans", "write_scans")

FORM = ("columns", "mode", "energy_unit", "d_spacing", "decimal", "exclude", "element", "edge", "order", "groups")


def layout(page: Page) -> Any:
    """The view."""
    # How files are read that leave something open.
    spacing = "Spacing of the monochromator for angles, Å (--d-spacing)"
    groups = pieces.choice("measured-groups", "Groups of the project (--group)", [], [], several=True)
    form = pieces.folded(
        "How the files are read",
        pieces.field("measured-columns", "Columns (--columns)", placeholder="energy=1,i0=2,it=3"),
        pieces.choice("measured-mode", "Signal (--mode)", MODES, ""),
        pieces.choice("measured-energy_unit", "Energies (--energy-unit)", UNITS, ""),
        pieces.field("measured-d_spacing", spacing, "number", min=SPACING[0], max=SPACING[1]),
        pieces.choice("measured-decimal", "Decimal mark (--decimal)", DECIMALS, ""),
        pieces.field("measured-exclude", "Energies to leave out, eV (--exclude)", placeholder="7135.2:7135.4"),
        pieces.field("measured-element", "Absorber (--element)", placeholder="Fe"),
        pieces.field("measured-edge", "Edge (--edge)", placeholder="K"),
        pieces.field("measured-order", "Degree of the curve after the edge (--order)", "number", min=0, max=2, step=1),
        html.Div(groups, id="measured-grouped", className="scroll"),
        pieces.button("measured-read", "Read again"),
        id="measured-form",
    )

    # The normalisation in numbers; the figure has the same handles.
    def number(name: str, label: str) -> html.Div:
        return pieces.field(f"measured-{name}", label, "number", step="any", debounce=True)

    handles = [html.Fieldset([html.Legend("E0 (eV)"), number("e0", "at")])]
    handles += [
        html.Fieldset([html.Legend(said), number(f"{name}_0", "from"), number(f"{name}_1", "to")])
        for name, said in RANGES.items()
    ]
    normalisation = [
        html.H2("2. Normalisation"),
        html.P("Move the line and the bands in the figure, or write numbers.", className="soft"),
        html.Div(handles, className="ends"),
        html.Div(
            [pieces.button("measured-reset", "As found"), pieces.button("measured-write", "Write normalised files")],
            className="row",
        ),
    ]

    # The three questions.
    match = pieces.folded(
        "Match: which structure is it?",
        pieces.choice("measured-libraries", "Candidates", LIBRARIES, LIBRARIES[:1], several=True),
        pieces.drop("measured-structures", "structure", "… and structure files of your own", several=True),
        pieces.field("measured-contains", "Only candidates that hold at least these elements", placeholder="Fe O"),
        pieces.field(
            "measured-max_atoms",
            "Only cells of at most so many atoms",
            "number",
            min=1,
            step=1,
            placeholder="any",
        ),
        pieces.button("measured-match", "Match", "main"),
        open=True,
    )
    mix = [pieces.button("measured-mix", "Mix", "main"), pieces.button("measured-rank", "Rank single standards")]
    standards = pieces.folded(
        "Mix: which of my standards make it up?",
        pieces.drop("measured-standards", "measured", "Drop measured spectra of known samples", several=True),
        pieces.field(
            "measured-most", "Most standards in a combination", "number", value=3, min=1, max=MOST_STANDARDS, step=1
        ),
        pieces.choice("measured-sum", "", {"sum": "fractions add up to 1"}, [], several=True),
        html.Div(mix, className="row"),
    )
    model = [
        pieces.choice("measured-model", "Model", {}, ""),
        pieces.button("measured-interpret", "Interpret", "main"),
    ]
    interpret = pieces.folded(
        "Interpret: what is its site like?",
        html.P(id="measured-no-model", className="soft"),
        html.Div(model, id="measured-interpretable", hidden=True),
    )

    # On the left: scans, then what they are, their normalisation and the questions.
    given = [
        html.H2("1. Scans"),
        pieces.drop("measured-files", "measured", "Drop measured scans: XDI, Athena, .nor or columns", several=True),
        pieces.error("measured-error"),
        form,
        dcc.Store(id="measured", storage_type="session"),
    ]
    about = [
        html.Div(id="measured-about"),
        html.Div(dcc.RadioItems([], None, id="measured-shown"), className="scroll", id="measured-several"),
        *normalisation,
        html.H2("3. Answer"),
        match,
        standards,
        interpret,
        pieces.error("measured-refused"),
    ]

    # On the right: the scan that is shown, and the answers. In a narrow window all four parts stand in one column.
    spectrum = [
        html.H2("Spectrum"),
        pieces.graph("measured-spectrum", "Scan and its normalisation", 560, edits={"shapePosition": True}),
    ]
    answered = [html.H2("Laid over the scan"), pieces.graph("measured-answer", "Scan and what was laid over it")]
    answers = [
        html.Div(answered, id="measured-answered", hidden=True),
        dcc.Store(id="measured-laid"),
        html.Ul(id="measured-jobs", className="jobs"),
    ]
    left = [html.Div(given), html.Div(about, id="measured-next", hidden=True, className="third")]
    right = [html.Div(spectrum, className="second"), html.Div(answers, className="fourth")]
    return html.Div([html.Div(left), html.Div(right)], className="columns")


def callbacks(page: Page) -> None:
    """Register its callbacks."""
    _of_scans(page)
    _of_answers(page)


def _of_scans(page: Page) -> None:
    """Three callbacks: in one, what moves while files are read would end the reading."""
    app = page.app

    def read(now: dict[str, Any]) -> dict[str, Any]:
        """What the library says of the scans, or its sentence."""
        try:
            given = {"how": checked_how(now["how"]), "only": now.get("only")}
            return page.queue.ask("read_scans", given, {"scans": page.paths(now["files"])})
        except (XanesflowError, OSError) as error:
            return {"error": sentence_about(error), "failed": {}, "groups": []}

    # Files are given, or read again by what the form now says.
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
            how |= still_set(before or {}, how)
        if not files:
            raise PreventUpdate
        now = {"files": files, "how": how}
        return {**now, "found": read(now)}

    # What was read is shown.
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

    # A handle is moved, a number written, or another scan shown: only that scan is read again.
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
        how = handled(asked, before, numbers, moved)
        at = [int(each) for each in shown.split("-")] if asked == "shown" else before["found"]["shown"]["at"]
        if how == before["how"] and at == before["found"]["shown"]["at"]:
            raise PreventUpdate
        found = read({**before, "how": how, "only": at})
        said = " ".join([*found["failed"].values(), found.get("error", "")]).strip()
        kept = {**before["found"], "error": said, "shown": found.get("shown", before["found"]["shown"])}
        return {"files": before["files"], "how": how, "only": at, "found": kept}


def _of_answers(page: Page) -> None:
    app = page.app

    # Interpreters that know the element are offered.
    @app.callback(
        Output("measured-model", "options"),
        Output("measured-model", "value"),
        Output("measured-no-model", "children"),
        Output("measured-interpretable", "hidden"),
        Input("measured", "data"),
    )
    def _(measured: Any) -> tuple[list[str], str | None, str, bool]:
        element = (measured or {}).get("found", {}).get("shown", {}).get("element", "")
        names = [each.name for each in interpreters(page) if re.search(f"-({element}_[^-]*|all)-", each.name)]
        return names, next(iter(names), None), "" if names else NO_MODEL.format(element), not names

    # A button queues a job.
    @page.callback(
        output=[],
        inputs={
            "clicks": [
                Input(f"measured-{name}", "n_clicks") for name in ("match", "rank", "mix", "interpret", "write")
            ],
            "measured": State("measured", "data"),
            "form": {
                name: State(f"measured-{name}", "value")
                for name in ("libraries", "contains", "max_atoms", "most", "sum", "model")
            },
            "own": {name: State(f"measured-{name}", "data") for name in OWN},
        },
        error="measured-refused",
        prevent_initial_call=True,
    )
    def _(*, clicks: Any, measured: Any, form: Any, own: Any) -> None:
        asked = str(ctx.triggered_id).removeprefix("measured-")
        kind, title, given, needed = wanted(page, asked, form, {name: own[name] or [] for name in OWN})
        scans = [each for k, each in enumerate(measured["files"]) if str(k) not in measured["found"]["failed"]]
        files = {"scans": page.paths(scans), **{name: page.paths(own[name]) for name in needed}}
        name = scans[0]["name"] if len(scans) == 1 else plural(len(scans), "scan")
        page.add(kind, f"{name}: {title}", {**given, "how": checked_how(measured["how"])}, files)

    # Jobs are shown, and one row of one of them is laid over its scan: the one clicked, until a newer job has rows.
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
        own = page.jobs(KINDS)
        newest = own[0]["id"] if own else ""
        drawn = {job["id"]: job["result"] for job in own if job["result"].get("rows")}
        first = next(iter(drawn), None)
        if isinstance(ctx.triggered_id, dict) and ctx.triggered[0]["value"]:
            laid = {"job": ctx.triggered_id["lay"], "row": ctx.triggered_id["row"], "newest": newest}
        if not laid or laid["job"] not in drawn or (first != laid["job"] and newest != laid["newest"]):
            laid = {"job": first, "row": 0, "newest": newest} if first else None
        cards = []
        for job in own:
            row = laid["row"] if laid and laid["job"] == job["id"] else -1
            cards.append(pieces.job_card(job, [*answer(job["id"], job["result"], row)]))
        return cards, overlay(drawn[laid["job"]], laid["row"]) if laid else no_update, laid, not laid
