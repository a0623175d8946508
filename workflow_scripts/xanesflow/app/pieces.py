"""Pieces that all views share: a place for files, figures with their downloads, and cards of jobs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html

from xanesflow.core.text import clock, without_controls
from xanesflow.running import work_queue as wq

_GRAPH: Any = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def told(**names: str) -> dict[str, Any]:
    """Properties with hyphens: `told(aria_label="Cell")`."""
    return {name.replace("_", "-"): value for name, value in names.items()}


def drop(store: str, purpose: str, label: str, *, several: bool = False) -> html.Div:
    """A field for files, by choice or by dropping them; its store `store` then holds `[{"id", "name"}]`.

    Args:
        store: id of the store, which this makes.
        purpose: of the files, as in `Uploads.limits`.
        label: says what to give.
        several: whether more than one file may be given.
    """
    about = told(data_purpose=purpose, data_store=store, data_several="1" if several else "", data_label=label)
    return html.Div(
        [
            html.Div(className="file", **about),  # app.js puts the field into it, which Dash has not
            html.P(className="error", role="alert", id=f"{store}-refused"),
            dcc.Store(id=store),
        ],
        className="drop",
    )


def error(name: str) -> html.P:
    """Where a view shows the sentence about a mistake, as the `children` of this id."""
    return html.P(id=name, className="error", role="alert")


def graph(name: str, label: str, height: int = 420, **config: Any) -> html.Div:
    """A figure with its downloads as SVG and PNG.

    Args:
        name: id of the graph.
        label: what it shows, for those who do not see it, and the name of the files.
        height: in pixels.
        config: further settings of plotly.
    """
    buttons = [
        html.Button(form.upper(), type="button", className="quiet", **told(data_image=form, data_graph=name))
        for form in ("svg", "png")
    ]
    drawn = dcc.Graph(id=name, config=_GRAPH | config, style={"height": f"{height}px"})
    return html.Div(
        [
            html.Div(drawn, role="figure", **told(aria_label=label)),
            html.P(["Figure as ", *buttons], className="row"),
        ],
        className="figure",
    )


def terminal(words: Sequence[str]) -> html.Div:
    """The command that gives the same, with a button that copies it."""
    line = shlex.join(words)
    return html.Div(
        [
            html.Span("The same in a terminal"),
            html.Code(line),
            html.Button("Copy", type="button", className="quiet", **told(data_copy=line)),
        ],
        className="terminal",
    )


def job_card(
    job: Mapping[str, Any], result: Mapping[str, Any], files: Sequence[str], more: Sequence[Any] = ()
) -> html.Li:
    """A job: what it is, how far it is, and what can be done with it.

    Args:
        job: as `WorkQueue.shown` has it.
        result: what it has shown so far.
        files: names of its files.
        more: further children, such as a table of sites.
    """
    name, state = str(job["id"]), job["state"]
    over = state not in (wq.WAITING, wq.AT_WORK)
    took = f" in {clock(job['ended'] - job['begun'])}" if state == wq.DONE else ""
    parts: list[Any] = [
        html.H3(without_controls(str(job["title"]))),
        html.P([html.Span(f"{state}{took}", className="state"), " ", str(job["said"])], className="row", role="status"),
    ]
    if not over:
        parts.append(html.Progress(value=str(job["share"]), max="1", **told(aria_label=f"Progress of {job['title']}")))
    if job["error"]:
        parts.append(html.P(str(job["error"]), className="error", role="alert"))
    parts += [html.P(each, className="remark") for each in result.get("remarks", ())]
    parts += more
    if files:
        links = [html.A(each, href=f"/download/{name}/{each}", download=each) for each in files]
        parts.append(html.P(["Files: ", *(part for link in links for part in (link, " "))], className="row"))
    if result.get("terminal"):
        parts.append(terminal(result["terminal"]))
    acts = [("again", "Start again")] * (over and state != wq.DONE) + [("remove", "Remove")] * over
    parts.append(
        html.P([act(*each, name, str(job["title"])) for each in acts or [("cancel", "Cancel")]], className="row")
    )
    return html.Li(parts, className=f"job {state.replace(' ', '-')}")


def table(
    label: str, names: Sequence[str], rows: Sequence[Sequence[Any]], about: Sequence[Mapping[str, Any]] = ()
) -> html.Div:
    """A table; cells that are numbers, also as text, stand right.

    Args:
        label: what it lists.
        names: of the columns.
        rows: cells: text, or components.
        about: further properties of the rows.
    """
    right = [bool(rows) and all(_is_number(row[k]) for row in rows) for k in range(len(names))]
    head = [html.Th(name, scope="col", className="number" * right[k]) for k, name in enumerate(names)]
    body = [
        html.Tr([html.Td(cell, className="number" * right[k]) for k, cell in enumerate(row)], **more)
        for row, more in zip(rows, about or [{}] * len(rows), strict=True)
    ]
    whole = html.Table([html.Thead(html.Tr(head)), html.Tbody(body)])
    return html.Div(whole, className="scroll", hidden=not rows, role="region", tabIndex="0", **told(aria_label=label))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) or (isinstance(cell, str) and not cell.strip("0123456789.,-−+±% ?"))


def act(verb: str, label: str, job: str, title: str) -> html.Button:
    """A button that does something with a job; `server` has the callback for all of them."""
    return html.Button(
        label, id={"act": verb, "job": job}, type="button", className="quiet", **told(aria_label=f"{label}: {title}")
    )
