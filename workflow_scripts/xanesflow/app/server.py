"""The page as a whole: its server, its layout, and what all views share."""

from __future__ import annotations

import os
from pathlib import Path
from socket import socket
from typing import Any, cast

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate
from flask import Flask, Response, jsonify, request, send_file

from xanesflow.app import campaign_view, measured_view, pieces, structure_view
from xanesflow.app.page_folder import secret_of
from xanesflow.app.security import Access, session
from xanesflow.app.shared_page import Page, Settings
from xanesflow.app.uploads import Uploads
from xanesflow.core.errors import XanesflowError, sentence_about
from xanesflow.core.text import plural
from xanesflow.running.work_queue import DONE, STOPPED, WorkQueue

VIEWS = (
    ("structure", "Structure → spectrum", structure_view),
    ("measured", "Measured → answer", measured_view),
    ("campaign", "Campaign", campaign_view),
)

HEAVY = ("xanesflow.app.structure_work", "xanesflow.app.measured_work")
"""Imported once, before any worker begins; a worker is a copy of the process that has them."""

KINDS = {
    **dict.fromkeys(("read_structure", "search_structures", "expect_time", *structure_view.KINDS), HEAVY[0]),
    **dict.fromkeys(("read_scans", *measured_view.KINDS), HEAVY[1]),
    "read_campaign": "xanesflow.app.campaign_work",
}
"""What workers can do: functions `(work: Work) -> dict`, with their modules."""

MOST = 20
"""Unfinished pieces of work of a session."""

QUICK_MS, SLOW_MS = 500, 3000
"""How often a page asks what its jobs do: while some are at work, and else."""

_INDEX = """<!DOCTYPE html>
<html lang="en"><head>{%metas%}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{%title%}</title>{%css%}</head>
<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body></html>"""


def make_page(settings: Settings, access: Access) -> Page:
    """Make the page; `page.app.server` is its WSGI application, and `page.queue.close()` stops its work.

    Raises:
        OSError: the folder cannot be written.
    """
    flask = Flask("xanesflow.app")
    access.protect(flask, secret_of(settings.folder))
    functions = {name: f"{module}:{name}" for name, module in KINDS.items()}
    queue = WorkQueue(settings.folder / "work", functions, heavy=HEAVY, at_a_time=settings.at_a_time, most=MOST)
    app = Dash(
        "xanesflow.app", server=cast(Any, flask), assets_folder=str(Path(__file__).parent / "assets"),
        serve_locally=True, title="xanesflow", update_title="", index_string=_INDEX,
        on_error=lambda error: set_props("trouble", {"children": sentence_about(error)}),
    )  # fmt: skip
    page = Page(app, queue, Uploads(settings.folder / "uploads"), settings, access.alone)
    _add_routes(flask, page)
    app.layout = _layout(page)
    for _, _, view in VIEWS:
        view.callbacks(page)
    _callbacks(page)
    return page


def _layout(page: Page) -> html.Div:
    tabs, panels = list[Any](), list[Any]()
    for name, label, view in VIEWS:
        first = not tabs
        about = pieces.hyphenated(aria_selected=str(first).lower(), aria_controls=f"panel-{name}")
        tabs.append(html.Button(label, id=f"tab-{name}", type="button", role="tab", className="view", **about))
        about = pieces.hyphenated(aria_labelledby=f"tab-{name}")
        panels.append(
            html.Section(view.layout(page), id=f"panel-{name}", role="tabpanel", hidden=not first, **about)
        )  # fmt: skip
    return html.Div(
        [
            html.Header(
                [html.H1("xanesflow"), html.Div(tabs, role="tablist", **pieces.hyphenated(aria_label="Views"))]
            ),
            pieces.error("lost"),  # app.js says there that the server is gone
            pieces.error("trouble"),
            html.P(id="kept", className="remark", role="status"),
            html.Main(panels),
            dcc.Store(id="jobs"),
            dcc.Store(id="acted"),
            dcc.Interval(id="tick", interval=QUICK_MS),
        ]
    )


def _callbacks(page: Page) -> None:
    @page.app.callback(
        Output("jobs", "data"),
        Output("tick", "interval"),
        Output("kept", "children"),
        Input("tick", "n_intervals"),
        Input("acted", "data"),
        State("jobs", "data"),
    )
    def _(_ticks: int, _acted: Any, before: Any) -> tuple[Any, Any, Any]:
        jobs = page.queue.shown(session())
        pause = SLOW_MS if all(job["ended"] for job in jobs) else QUICK_MS
        states = [job["state"] for job in jobs]
        said = (
            f"The server was stopped: {plural(states.count(DONE), 'finished piece')} of work kept, "
            f"{states.count(STOPPED)} not finished, which you can start again."
        )
        return no_update if jobs == before else jobs, pause, said if STOPPED in states else ""

    @page.app.callback(Output("acted", "data"), Input({"act": ALL, "job": ALL}, "n_clicks"), prevent_initial_call=True)
    def _(clicks: list[int | None]) -> Any:
        if not any(clicks) or not isinstance(ctx.triggered_id, dict):
            raise PreventUpdate
        acts: Any = {"cancel": page.queue.cancel, "again": page.queue.again, "remove": page.queue.remove}
        acts[ctx.triggered_id["act"]](session(), ctx.triggered_id["job"])
        return ctx.triggered_id["job"]


def _add_routes(flask: Flask, page: Page) -> None:
    @flask.post("/upload/<purpose>", endpoint="upload")
    def _(purpose: str) -> tuple[Response, int]:
        if purpose not in page.uploads.limits:
            return jsonify(error="There is no such field."), 404
        size = request.args.get("bytes", request.content_length or 0, type=int)
        try:
            kept = page.uploads.receive(session(), purpose, request.args.get("name", ""), size, request.stream)
        except (XanesflowError, OSError) as error:
            return jsonify(error=sentence_about(error)), 400
        return jsonify(kept), 200

    @flask.get("/download/<job>/<name>", endpoint="download")
    def _(job: str, name: str) -> Response:
        try:
            path = page.queue.files(session(), job)[name]
        except (XanesflowError, KeyError):
            return Response("There is no such file.\n", 404, mimetype="text/plain")
        return send_file(path, as_attachment=True, download_name=name)


def serve(page: Page, listening: socket) -> None:
    """Answer requests at a bound socket until the process is interrupted, then stop all work."""
    from waitress import create_server

    most = max(limit for limit, _ in page.uploads.limits.values()) + 2**20
    server = create_server(page.app.server, sockets=[listening], threads=8, max_request_body_size=most, ident=None)
    page.queue.warm_up()
    page.uploads.forget()
    try:
        server.run()
    finally:
        page.queue.close()


def one_thread_each() -> None:
    """Give this process and its workers one thread for linear algebra; call it before anything imports numpy."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
