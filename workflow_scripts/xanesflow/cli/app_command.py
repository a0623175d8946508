"""`xanesflow app` and its options; code is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xanesflow.cli.terminal import report_errors


@report_errors()
def app(
    *,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Port of the page; 0: any free one.")
    ] = 8050,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="Where uploads and work are kept; by default in the user's cache folder."
        ),
    ] = None,
    campaign: Annotated[
        Path | None,
        typer.Option(
            "--campaign",
            "-d",
            metavar="DIR",
            help="Working directory of the campaign that the page shows; by default this one, if it has results.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="CHECKPOINT",
            help="A model that the page offers, as for `xanesflow predict`; may be repeated.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where computed spectra are kept, as for `xanesflow match`; by default the user's cache folder.",
        ),
    ] = None,
    at_a_time: Annotated[int, typer.Option("--at-a-time", min=1, metavar="N", help="Pieces of work at once.")] = 1,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="For a group: listen there, as 0.0.0.0; needs --token."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="XANESFLOW_APP_TOKEN",
            help="For a group: what one must know to enter, 16 characters or more.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="For a group: a name under which browsers find the page, as xanes.example.org; may be repeated.",
        ),
    ] = None,
) -> None:
    """Open a local page in the browser: from structures to spectra, from measured spectra to answers, and campaigns.

    Stop it with Ctrl-C. Example: xanesflow app
    """
    from xanesflow.cli.start_app import OpenTo, start

    start(
        port=port, folder=folder, campaign=campaign, models=model or [], cache=cache, at_a_time=at_a_time,
        browser=not no_browser, group=OpenTo(host, token, tuple(name or ())),
    )  # fmt: skip
