"""`xanesflow structures search` and its alias `examples`: list examples, and minerals that hold the words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from xanesflow.cli.terminal import print_result, results
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import plural
from xanesflow.structures.amcsd.database import TITLE
from xanesflow.structures.choose_site import read_element
from xanesflow.structures.examples import load_examples
from xanesflow.structures.find_structures import find_structures, found_rows

_MOST = 500  # minerals that are shown


def show_found(words: Sequence[str], element: str | None) -> None:
    """Print the examples and minerals that hold all words; without words, the examples.

    Args:
        words: parts of id, formula, name or reference, whatever their case.
        element: only those with this element; None: all.

    Raises:
        WrongCallError: nothing holds all words.
        XanesflowError: the database of minerals is missing.
    """
    words = [word for word in words if word.strip()]
    if not words:
        _show_examples(element)
        return
    examples, minerals = find_structures(words, [element] if element else [])
    table = Table("id", "formula", "name", "measured at", "reference")
    for column in table.columns[:2]:
        column.no_wrap = True
    for found in found_rows(examples, minerals[:_MOST]):
        table.add_row(*map(escape, found))
    results().print(table)
    shown = f", the first {_MOST} of which are shown; write more words" if len(minerals) > _MOST else ""
    print_result(f"{plural(len(examples), 'example')}, {len(minerals):,} of the {TITLE}{shown}.")


def _show_examples(element: str | None) -> None:
    """Print the example library.

    Args:
        element: only those with this absorber; None: all.

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
    results().print(table)
    print_result("`xanesflow structures search WORD` finds minerals too, by parts of name, formula or reference.")
