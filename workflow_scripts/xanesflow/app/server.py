"""The page as a whole: its server, its layout, and what all views share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Any, cast

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update, set_props
from flask import Flask, Response, jsonify, request, send_file

from xanesflow.app import campaign_view, measured_view, pieces, structure_view
from xanesflow.app.security import Access, session
from xanesflow.app.shared_page import Page, Settings
from xanesflow.app.tasks import HEAVY, KINDS
from xanesflow.app.uploads import Uploads
from xanesflow.core.errors import XanesflowError, sentence_about
from xanesflow.core.text import plural
from xanesflow.running.work_queue import DONE, STOPPED, WorkQueue

VIEWS = (
    ("structure", "Structure → spectrum", structure_view),
    ("measured", "Measured → answer", measured_view),
    ("campaign", "Campaign", campaign_view),
)
QUICK_MS, SLOW_MS = 500, 3000
"""How often a page asks what its jobs do: while some are at work, and else."""


def make_page(settings: Settings, access: Access) -> Page:
    """Make the page; `page.app.server` is its WSGI application, and `page.queue.close()` stops its work.

    Raises:
        OSError: the folder cannot be written.
    """
    flask = Flask("xanesflow.app")
    access.protect(flask)
    uploads = Uploads(settings.folder / "uploads")
    queue = WorkQueue(settings.folder / "work", KINDS, heavy=HEAVY, at_a_time=settings.at_a_time, most=settings.most)
    app = Dash(
        "xanesflow.app",
        server=cast(Any, flask),
        assets_folder=str(Path(__file__).parent / "assets"),
        serve_locally=True,
        title="xanesflow",
        update_title="",
        on_error=_show_error,
        index_string=_INDEX,
    )
    page = Page(app, queue, uploads, settings)
    _add_routes(flask, page)
    app.layout = _layout(page)
    for _, _, view in VIEWS:
        view.callbacks(page)
    _callbacks(page)
    return page


_INDEX = """<!DOCTYPE html>
<html lang="en"><head>{%metas%}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{%title%}</title>{%css%}</head>
<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body></html>"""


def _layout(page: Page) -> html.Div:
    tabs = [
        html.Button(
            label, id=f"tab-{name}", type="button", role="tab", className="view",
            **pieces.told(aria_selected="false" if k else "true", aria_controls=f"panel-{name}"),
        )
        for k, (name, label, _) in enumerate(VIEWS)
    ]  # fmt: skip
    panels = [
        html.Section(
            view.layout(page), id=f"panel-{name}", role="tabpanel", hidden=bool(k),
            **pieces.told(aria_labelledby=f"tab-{name}"),
        )
        for k, (name, _, view) in enumerate(VIEWS)
    ]  # fmt: skip
    return html.Div(
        [
            html.Header([html.H1("xanesflow"), html.Div(tabs, role="tablist", **pieces.told(aria_label="Views"))]),
            html.P(id="trouble", className="error", role="alert"),
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
        Input("tick", "n_intervals"),
        Input("acted", "data"),
        State("jobs", "data"),
    )
    def _(_ticks: int, _acted: Any, before: Any) -> tuple[Any, Any]:
        jobs = page.queue.shown(session())
        pause = SLOW_MS if all(job["ended"] for job in jobs) else QUICK_MS
        return no_update if jobs == before else jobs, pause

    @page.app.callback(Output("kept", "children"), Input("jobs", "data"))
    def _(jobs: Any) -> str:
        states = [job["state"] for job in jobs or []]
        if STOPPED not in states:
            return ""
        return (
            f"The server was stopped: {plural(states.count(DONE), 'finished piece')} of work kept, "
            f"{states.count(STOPPED)} not finished, which you can start again."
        )

    @page.app.callback(Output("acted", "data"), Input({"act": ALL, "job": ALL}, "n_clicks"), prevent_initial_call=True)
    def _(clicks: list[int | None]) -> Any:
        if not any(clicks) or not isinstance(ctx.triggered_id, dict):
            return no_update
        verb, job = ctx.triggered_id["act"], ctx.triggered_id["job"]
        acts: dict[str, Callable[[str, object], Any]] = {
            "cancel": page.queue.cancel, "again": page.queue.again, "remove": page.queue.remove,
        }  # fmt: skip
        acts[verb](session(), job)
        return job


def _show_error(error: Exception) -> None:
    """Show the sentence about an error that no view has caught."""
    set_props("trouble", {"children": sentence_about(error)})


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

    most = max((limit for limit, _ in page.uploads.limits.values()), default=0) + 2**20
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
