"""`xanesflow ...` called in the test's own process, on a terminal of 160 columns."""

from __future__ import annotations

from functools import cache

import typer.testing
from typer.testing import CliRunner, Result

from xanesflow.cli.commands import app

# It makes all commands anew for each call, which takes longer than most of them.
typer.testing._get_command = cache(typer.testing._get_command)


def invoke(*words: object, columns: int = 160) -> Result:
    """A call, however it ends."""
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [str(word) for word in words])


def call(*words: object, columns: int = 160) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a call, which must not end in a traceback."""
    done = invoke(*words, columns=columns)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.stdout, done.stderr


def answer(*words: object, columns: int = 160) -> tuple[int, str]:
    """Exit code of a call, and all that it printed, errors after the rest."""
    code, out, err = call(*words, columns=columns)
    return code, out + err


def sentence(*words: object, code: int) -> str:
    """The one sentence with which a wrong call ends."""
    found, out, err = call(*words)
    assert (found, out) == (code, ""), err
    assert err.count("\n") == 1 and err.endswith(".\n"), err
    return err.strip()
