"""Campaign: how far a campaign has come, what failed and why, expected hours, and its report. It only reads."""

from __future__ import annotations

from typing import Any

from dash import html

from xanesflow.app.page import Page


def layout(page: Page) -> Any:
    """The view."""
    return html.P("The campaign comes here.")


def callbacks(page: Page) -> None:
    """Register its callbacks."""
