"""The command line: `xanesflow xanes`, the quick look at a spectrum, and `xanesflow examples`.

`commands` has the options, and it alone needs typer; `request` finds out what is asked for, `compute` computes it,
`output` writes it, and `xanes` does one after the other and shows it on the terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xanesflow.cli.commands import app

__all__ = ["app"]


def __getattr__(name: str) -> object:
    """`app`, imported when it is asked for, so that the modules beside it can be used without typer."""
    if name != "app":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from xanesflow.cli.commands import app

    return app
