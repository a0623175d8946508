"""`xanesflow structures search` and its alias `examples`: list examples, and minerals that hold the words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from xanesflow.cli.terminal import print_result, results
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import listing, plural
from xanesflow.structures.amcsd.database import TITLE
from xanesflow.structures.choose_site import read_element
from xanesflow.structures.examples import load_examples
from xanesflow.structures.find_structures import find_structures, found_rows

_MOST = 500  # minerals that are shown


def show_found(words: Sequence[str], elements: Sequence[str]) -> None:
    """Print the examples and minerals that hold all words; without words, the examples.

    Args:
        words: parts of id, formula, name or reference, whatever their case.
        elements: only those with all of these.

    Raises:
        WrongCallError: nothing holds all words.
        XanesflowError: the database of minerals is missing.
    """
    words = [word for word in words if word.strip()]
    if not words:
        _show_examples(elements)
        return
    examples, minerals = find_structures(words, elements)
    table = Table("id", "formula", "name", "measured at", "reference")
    for column in table.columns[:2]:
        column.no_wrap = True
    for found in found_rows(examples, minerals[:_MOST]):
        table.add_row(*map(escape, found))
    results().print(table)
    shown = f", the first {_MOST} of which are shown; write more words" if len(minerals) > _MOST else ""
    print_result(f"{plural(len(examples), 'example')}, {len(minerals):,} of the {TITLE}{shown}.")


def _show_examples(elements: Sequence[str]) -> None:
    """Print the example library.

    Args:
        elements: only those with all of these among their absorbers.

    Raises:
        WrongCallError: no example has these absorbers.
    """
    chosen = list(dict.fromkeys(map(read_element, elements)))
    examples = [each for each in load_examples() if each.inequivalent.keys() >= set(chosen)]
    if not examples:
        raise WrongCallError(f"No example has {listing(chosen)} as its absorber{'s' * (len(chosen) > 1)}.")
    table = Table(
        "id", "formula", "name", "space group", "absorbers", caption="absorbers: (number of inequivalent sites)"
    )
    table.columns[0].no_wrap = True
    for each in examples:
        absorbers = ", ".join(f"{symbol} ({number})" for symbol, number in each.inequivalent.items())
        table.add_row(each.id, each.formula, escape(each.name), each.space_group, absorbers)
    results().print(table)
    print_result("`xanesflow structures search WORD` finds minerals too, by parts of name, formula or reference.")
