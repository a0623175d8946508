"""The command line, `xanesflow ...`.

`commands` and the modules `*_commands` declare the options, and only these need typer. Each command imports what it
needs when you call it. `xanesflow xanes`, for example, finds structure and sites in `structures.choose_site`, computes
them in `spectra.compute_sites`, writes the results in `spectra.write_xanes`, and `compute_spectra` does all of it in
turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xanesflow.cli.commands import app

__all__ = ["app"]


def __getattr__(name: str) -> object:
    """Import `app` only on request, so that the other modules work without typer."""
    if name != "app":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from xanesflow.cli.commands import app

    return app
