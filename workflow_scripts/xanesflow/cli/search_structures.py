"""`xanesflow structures search` and its alias `examples`: list examples, and minerals that hold the words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xanesflow.cli.terminal import say
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import plural
from xanesflow.structures.amcsd.database import TITLE
from xanesflow.structures.choose_site import read_element
from xanesflow.structures.examples import load_examples
from xanesflow.structures.find_structures import find_structures

_MOST = 500  # minerals that are shown


def show_found(words: Sequence[str], element: str | None, console: Console) -> None:
    """Print the examples and minerals that hold all words; without words, the examples.

    Args:
        words: parts of id, formula, name or reference, whatever their case.
        element: only those with this element; None: all.
        console: for the table.

    Raises:
        WrongCallError: nothing holds all words.
        XanesflowError: the database of minerals is missing.
    """
    words = [word for word in words if word.strip()]
    if not words:
        _show_examples(element, console)
        return
    examples, minerals = find_structures(words, [element] if element else [])
    table = Table("id", "formula", "name", "measured at", "reference")
    for column in table.columns[:2]:
        column.no_wrap = True
    for example in examples:
        table.add_row(
            example.id, example.formula, escape(example.name), "", escape(" ".join(example.reference.split()))
        )
    for entry in minerals[:_MOST]:
        name = f"{entry.mineral or entry.formula}{', partly occupied' if entry.partly_occupied else ''}"
        reference = escape(entry.reference)
        table.add_row(entry.id, entry.formula.replace(" ", ""), escape(name), str(entry.conditions), reference)
    console.print(table)
    shown = f", the first {_MOST} of which are shown; write more words" if len(minerals) > _MOST else ""
    say(console, f"{plural(len(examples), 'example')}, {len(minerals):,} of the {TITLE}{shown}.")


def _show_examples(element: str | None, console: Console) -> None:
    """Print the example library.

    Args:
        element: only those with this absorber; None: all.
        console: for the table.

    Raises:
        WrongCallError: no example has this absorber.
    """
    chosen = element and read_element(element)
    examples = [each for each in load_examples() if not chosen or chosen in each.inequivalent]
    if not examples:
        raise WrongCallError(f"No example has {chosen} as its absorber.")
    table = Table(
        "id", "formula", "name", "space group", "absorbers", caption="absorbers: (number of inequivalent sites)"
    )
    table.columns[0].no_wrap = True
    for each in examples:
        absorbers = ", ".join(f"{symbol} ({number})" for symbol, number in each.inequivalent.items())
        table.add_row(each.id, each.formula, escape(each.name), each.space_group, absorbers)
    console.print(table)
    say(console, "`xanesflow structures search WORD` finds minerals too, by parts of name, formula or reference.")
