"""Campaign: how far a campaign has come, what failed and why, expected hours, and its report. It only reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dash import Input, Output, dcc, html
from flask import Response, send_file

from xanesflow.app import pieces
from xanesflow.app.shared_page import Page
from xanesflow.config import result_paths as paths
from xanesflow.core.text import plural

_SECONDS = 30


def layout(page: Page) -> Any:
    """The view."""
    campaign = page.settings.campaign
    if campaign is None:
        return [
            html.H2("No campaign is shown"),
            html.P("Start the page in the working directory of a campaign, or name one: xanesflow app --campaign DIR."),
        ]
    return [
        html.H2(f"Campaign {campaign.resolve().name}"),
        pieces.button("campaign-read", "Read again"),
        pieces.error("campaign-error"),
        html.Div(id="campaign-shown"),
        dcc.Interval(id="campaign-tick", interval=1000 * _SECONDS, disabled=True),
    ]


def callbacks(page: Page) -> None:
    """Register its callbacks, and the address of the report."""
    campaign = page.settings.campaign
    if campaign is None:
        return

    @page.callback(
        Output("campaign-shown", "children"),
        Output("campaign-tick", "disabled"),
        Input("tab-campaign", "n_clicks"),
        Input("campaign-read", "n_clicks"),
        Input("campaign-tick", "n_intervals"),
        error="campaign-error",
        prevent_initial_call=True,
    )
    def _(_tab: Any, _button: Any, _ticks: Any) -> tuple[Any, bool]:
        given = {"campaign": str(campaign), "alone": page.alone}
        return _shown(page.queue.ask("read_campaign", given)), False

    @page.app.server.get("/campaign/report", endpoint="report")
    def _() -> Response:
        path = Path(campaign) / paths.REPORT
        if not path.is_file():
            return Response("This campaign has no report yet.\n", 404, mimetype="text/plain")
        answer = send_file(path.resolve(), mimetype="text/html")
        answer.headers["Content-Security-Policy"] = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'"
        return answer


def _shown(found: dict[str, Any]) -> Any:
    rows = [
        [
            *row.values(),
            html.Progress(
                value=f"{ended:.4f}", max="1", **pieces.hyphenated(aria_label=f"Ended sites of {row['subset']}")
            ),
        ]
        for row, ended in zip(found["rows"], found["ended"], strict=True)
    ]
    report = html.A("Open the report", href="/campaign/report", target="_blank", rel="noopener", className="report")
    parts = [
        html.P(found["forecast"]),
        pieces.table("Progress", [*found["rows"][0], "progress"], rows),
        html.P(f"Stages: {found['stages']}.", className="soft"),
        html.P(report if found["report"] else "There is no report yet."),
        *pieces.remarks(found["notes"]),
    ]
    if found["reasons"]:
        counts = [[subset, reason, f"{number:,}"] for subset, reason, number in found["reasons"]]
        more = f", the first {len(found['failed'])} are shown" if found["n_failed"] > len(found["failed"]) else ""
        parts += [
            html.H2("What failed, and why"),
            pieces.table("Reasons", ["subset", "reason", "sites"], counts),
            html.P(f"{plural(found['n_failed'], 'failed site')} listed{more}.", className="soft"),
            pieces.table("Failed sites", ["site", "subset", "reason", "detail"], found["failed"]),
        ]
    return [*parts, pieces.terminal(found["terminal"])]
