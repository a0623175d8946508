"""`xanesflow interpret`: reads sites from spectra and shows what is known about them, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xanesflow.cli.terminal import say
from xanesflow.config.result_paths import INTERPRETER, fill
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import plural
from xanesflow.interpretation.interpret_spectra import Interpretation, interpret_files, write_values
from xanesflow.interpretation.interpreter import load_interpreter
from xanesflow.interpretation.site_descriptors import DESCRIPTORS
from xanesflow.measured import Normalisation, Reading
from xanesflow.measured.foreign_file import on_one_line

_PREFERRED = ("blend", "trees", "network")


def show_interpretation(
    files: Sequence[Path],
    model: Path | None,
    reading: Reading,
    normalisation: Normalisation,
    *,
    output: Path | None,
    messages: Console,
    results: Console,
) -> None:
    """Read, show and write.

    Raises:
        XanesflowError: a file or the model cannot be used, or the result cannot be written.
    """
    if output is not None:
        if output.suffix.lower() != ".csv" or output.is_dir():
            raise WrongCallError(f"--output {output} must be a file that ends with .csv.")
        if any(output.resolve() == file.resolve() for file in files):
            raise WrongCallError(f"{output} is one of the spectra, which are never overwritten; name another.")
    interpreter = load_interpreter(model or _only_model())
    found = interpret_files(files, interpreter, reading, normalisation)
    card = interpreter.card
    say(messages, f"{card.model} of {card.name}, {plural(card.n_train, 'simulated site')}")
    for each in found:
        _show(each, messages, results)
    if output is not None:
        write_values(output, found)
        say(results, str(output))


def _only_model() -> Path:
    """The interpreter of the campaign in this folder.

    Raises:
        WrongCallError: there is none, or there are several subsets to choose from.
    """
    for model in _PREFERRED:
        pattern = Path(fill(INTERPRETER, interpreter=model, subset="*", split="campaign", seed="*"))
        paths = sorted(pattern.parent.glob(pattern.name))
        subsets = {path.stem.split("-")[1] for path in paths} - {"all"}
        if len(subsets) > 1:
            raise WrongCallError(
                f"There are interpreters of {', '.join(sorted(subsets))}; choose one with --model FILE."
            )
        if paths:
            return next((path for path in paths if path.stem.split("-")[1] in subsets), paths[0])
    raise WrongCallError(
        "There is no interpreter in results/interpretation/models; run snakemake interpretation here, or name one with "
        "--model FILE."
    )


def _show(found: Interpretation, messages: Console, results: Console) -> None:
    table = Table("", "value", "90 % bar", "without the spectrum", "", title=escape(on_one_line(found.source)))
    table.title_justify = "left"
    for read in found.values:
        descriptor = DESCRIPTORS[read.descriptor]
        unit = "" if descriptor.unit == "1" else f" {descriptor.unit}"
        places = 2 if descriptor.unit != "Å" else 3
        said = "no more than the prior" if read.no_more_than_prior else ""
        if read.classes and not said:
            said = ", ".join(f"{value}: {share:.0%}" for value, share in read.classes if share >= 0.05)
        table.add_row(
            descriptor.title,
            f"{read.value:.{places}f}{unit}",
            f"{read.low:.{places}f} to {read.high:.{places}f}",
            f"{read.prior_low:.{places}f} to {read.prior_high:.{places}f}",
            said,
        )
    results.print(table)
    near = "; ".join(f"{site} ({formula}, {distance:.3f})" for site, formula, distance in found.nearest)
    say(results, f"Nearest simulated sites (root mean square distance): {near}")
    for remark in found.remarks:
        say(messages, f"{found.source}: {remark}", style="yellow")
    if found.foreign:
        say(
            messages,
            f"{found.source} is unlike all spectra that were simulated (p = {found.p_value:.3f}): the values above say "
            "nothing about it. Its site may be of a kind that the interpreter never saw, such as a metal or sulfide "
            "for one that learned from oxides.",
            style="bold red",
        )
