"""`xanesflow interpret`: reads sites from spectra and shows what is known about them, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from xanesflow.cli.check_written import check_written
from xanesflow.cli.options import HowToRead
from xanesflow.cli.terminal import print_message, print_result, results
from xanesflow.config.result_paths import trained_interpreters
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import plural
from xanesflow.interpretation.interpret_spectra import Interpretation, interpret_files, write_values
from xanesflow.interpretation.interpreter import MADE, load_interpreter
from xanesflow.measured.foreign_file import on_one_line
from xanesflow.prediction.builtin_models import PREFIX


def show_interpretation(files: Sequence[Path], model: Path | None, how: HowToRead, *, output: Path | None) -> None:
    """Read, show and write.

    Raises:
        XanesflowError: no file or not the model can be used, or the result cannot be written.
    """
    check_written([(output, _check_table)], files)
    if model is not None and str(model).startswith(PREFIX):
        raise WrongCallError(f"{model} predicts spectra and is no interpreter; name a file of {MADE}.")
    interpreter = load_interpreter(model or _only_model())
    found = interpret_files(
        files, interpreter, *how, leave_out=lambda sentence: print_message(f"Left out: {sentence}", style="yellow")
    )
    card = interpreter.card
    print_message(f"{card.model} of {card.name}, {plural(card.n_train, 'simulated site')}")
    for each in found:
        _show(each)
    if output is not None:
        write_values(output, found)
        print_result(str(output))


def _check_table(path: Path) -> None:
    if path.suffix.lower() != ".csv":
        raise WrongCallError(f"--output {path} must be a file that ends with .csv.")


def _only_model() -> Path:
    """The interpreter of the campaign in this folder.

    Raises:
        WrongCallError: there is none, or there are several subsets to choose from.
    """
    for paths in trained_interpreters():
        subsets = {path.stem.split("-")[1] for path in paths} - {"all"}
        if len(subsets) > 1:
            raise WrongCallError(
                f"There are interpreters of {', '.join(sorted(subsets))}; choose one with --model FILE."
            )
        return next((path for path in paths if path.stem.split("-")[1] in subsets), paths[0])
    raise WrongCallError(
        "There is no interpreter in results/interpretation/models; run snakemake interpretation here, or name one with "
        "--model FILE."
    )


def _show(found: Interpretation) -> None:
    table = Table("", "value", "90 % bar", "without the spectrum", "", title=escape(on_one_line(found.source, 200)))
    table.title_justify = "left"
    for read in found.values:
        table.add_row(*read.cells)
    results().print(table)
    print_result(found.nearest_sites)
    for remark in found.remarks:
        print_message(f"{found.source}: {remark}", style="yellow")
    if found.foreign:
        print_message(found.warning, style="bold red")
