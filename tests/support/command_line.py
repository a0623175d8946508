"""Commands of xanesflow, called as a user calls them."""

from __future__ import annotations

from typer.testing import CliRunner

from xanesflow.cli import app


def call(*words: object, columns: int = 160) -> tuple[int, str]:
    """Exit code and all that a command printed to a terminal of that width; no traceback is among it."""
    done = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*map(str, words)])
    assert "Traceback" not in done.output
    return done.exit_code, done.output
