"""Measured → answer: scans are read and normalised, then matched, mixed or interpreted."""

from __future__ import annotations

from typing import Any

from dash import html

from xanesflow.app.shared_page import Page


def layout(page: Page) -> Any:
    """The view."""
    return html.P("Measured spectra come here.")


def callbacks(page: Page) -> None:
    """Register its callbacks."""
