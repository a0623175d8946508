"""Pieces that all views share: fields, a place for files, figures with their downloads, tables, and cards of jobs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html

from xanesflow.core.text import clock, without_controls
from xanesflow.running import work_queue as wq

_GRAPH: Any = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def hyphenated(**names: str) -> dict[str, Any]:
    """Properties with hyphens: `hyphenated(aria_label="Cell")`."""
    return {name.replace("_", "-"): value for name, value in names.items()}


def field(name: str, label: str, kind: Any = "text", **more: Any) -> html.Div:
    """A field for a text or number; `more` are properties of `dcc.Input`."""
    given = dcc.Input(type=kind, id=name, **more)
    return html.Div([html.Label(label, htmlFor=name), given], className="field")


def choice(name: str, label: str, options: Any, value: Any, *, several: bool = False, inline: bool = True) -> Any:
    """A choice of one or several options; with a label, these are a group."""
    given = (dcc.Checklist if several else dcc.RadioItems)(options, value, id=name, inline=inline)
    return html.Fieldset([html.Legend(label), given], className="field") if label else given


def button(name: str, label: str, style: str = "") -> html.Button:
    """A button; `main` is the style of what one does next."""
    return html.Button(label, id=name, type="button", className=style)


def folded(label: str, *inside: Any, **more: Any) -> html.Details:
    """What is shown if one asks for it."""
    return html.Details([html.Summary(label), *inside], **more)


def drop(store: str, purpose: str, label: str, *, several: bool = False) -> html.Div:
    """A field for files, by choice or by dropping them; its store `store` then holds `[{"id", "name"}]`.

    Args:
        store: id of the store, which this makes.
        purpose: of the files, as in `Uploads.limits`.
        label: says what to give.
        several: whether more than one file may be given.
    """
    about = hyphenated(data_purpose=purpose, data_store=store, data_several="1" if several else "", data_label=label)
    # app.js puts the field into the first, which Dash has not, and says in the next two what was sent and what refused.
    said = [html.P(id=f"{store}-kept", className="soft"), error(f"{store}-refused")]
    return html.Div([html.Div(className="file", **about), *said, dcc.Store(id=store)], className="drop")


def error(name: str) -> html.P:
    """Where a view shows the sentence about a mistake; see `Page.callback`."""
    return html.P(id=name, className="error", role="alert")


def remarks(sentences: Sequence[str], style: str = "remark") -> list[html.P]:
    """A paragraph for each sentence that is not empty."""
    role = "alert" if style == "error" else None
    return [html.P(each, className=style, role=role) for each in sentences if each]


def facts(said: Sequence[tuple[str, str]]) -> html.Dl:
    """Names with what they are."""
    return html.Dl([part for name, text in said for part in (html.Dt(name), html.Dd(text))])


def graph(name: str, label: str, height: int = 420, **config: Any) -> html.Div:
    """A figure with its downloads as SVG and PNG.

    Args:
        name: id of the graph.
        label: what it shows, for those who do not see it, and the name of the files.
        height: in pixels.
        config: further settings of plotly.
    """
    drawn = dcc.Graph(id=name, config=_GRAPH | config, style={"height": f"{height}px"})
    buttons = [
        html.Button(form.upper(), type="button", className="quiet", **hyphenated(data_image=form, data_graph=name))
        for form in ("svg", "png")
    ]
    parts = [
        html.Div(drawn, role="figure", **hyphenated(aria_label=label)),
        html.P(["Figure as ", *buttons], className="row"),
    ]
    return html.Div(parts, className="figure")


def terminal(words: Sequence[str]) -> html.Div:
    """The command that gives the same, with a button that copies it."""
    line = shlex.join(words)
    copy = html.Button("Copy", type="button", className="quiet", **hyphenated(data_copy=line))
    return html.Div([html.Span("The same in a terminal"), html.Code(line), copy], className="terminal")


def job_card(job: Mapping[str, Any], more: Sequence[Any] = ()) -> html.Li:
    """A job: what it is, how far it is, and what can be done with it.

    Args:
        job: as `Page.jobs` has it.
        more: further children, such as a table of sites.
    """
    name, state, title, result = str(job["id"]), job["state"], without_controls(str(job["title"])), job["result"]
    over = state not in (wq.WAITING, wq.AT_WORK)
    took = f" in {clock(job['ended'] - job['begun'])}" if state == wq.DONE else ""
    acts = {"again": "Start again"} if over and state != wq.DONE else {}
    acts |= {"remove": "Remove"} if over else {"cancel": "Cancel"}
    buttons = [
        html.Button(
            label, id={"act": verb, "job": name}, type="button", className="quiet",
            **hyphenated(aria_label=f"{label}: {title}"),
        )
        for verb, label in acts.items()
    ]  # fmt: skip
    said = html.P([html.Span(f"{state}{took}", className="state"), " ", str(job["said"])], role="status")
    parts: list[Any] = [html.H3(title), html.Div([said, *buttons], className="row")]
    if not over:
        parts.append(html.Progress(value=str(job["share"]), max="1", **hyphenated(aria_label=f"Progress of {title}")))
    parts += [*remarks([job["error"]], "error"), *remarks(result.get("remarks", ())), *more]
    if files := job["files"]:
        links = [html.A(each, href=f"/download/{name}/{each}", download=each) for each in files]
        parts.append(html.P([html.Span("Files"), *links], className="row"))
    if result.get("terminal"):
        parts.append(terminal(result["terminal"]))
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
    return html.Div(
        whole, className="scroll", hidden=not rows, role="region", tabIndex="0", **hyphenated(aria_label=label)
    )


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) or (isinstance(cell, str) and not cell.strip("0123456789.,-−+±% ?"))
