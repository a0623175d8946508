"""The list of commands. Their options are in `*_commands`, and each imports its code only when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from xanesflow import __version__
from xanesflow.cli.app_command import app as app_command
from xanesflow.cli.campaign_commands import check, demo, init, plan, profile_app, retry, status, unpack
from xanesflow.cli.dataset_commands import dataset_app
from xanesflow.cli.measured_commands import interpret, match, measured, mix, pca
from xanesflow.cli.predict_commands import model_app, predict
from xanesflow.cli.structure_commands import examples, structures_app, xanes
from xanesflow.cli.terminal import results, say

app = typer.Typer(
    name="xanesflow",
    help="From crystal structures to K-edge XANES: single spectra from the command line, and a demonstration of the "
    "whole workflow. You run the workflow itself, up to trained models, with Snakemake (see README.md).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        say(results(), f"xanesflow {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=lambda value: _show_version(wanted=value))
    ] = False,
) -> None:
    """Hold the options that all commands share."""


# The order of `xanesflow --help`.
for command in (
    *(xanes, examples, demo, init, unpack, status, retry, plan, check, predict, measured, interpret, match, mix, pca),
):
    app.command()(command)
app.command("app")(app_command)

for group, name in (
    (dataset_app, "dataset"),
    (model_app, "model"),
    (structures_app, "structures"),
    (profile_app, "profile"),
):
    app.add_typer(group, name=name)
