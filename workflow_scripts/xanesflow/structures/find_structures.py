"""Find examples and minerals by words."""

from __future__ import annotations

from collections.abc import Sequence

from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import printable
from xanesflow.structures.amcsd.database import Entry
from xanesflow.structures.amcsd.find_mineral import search
from xanesflow.structures.choose_site import read_element
from xanesflow.structures.examples import Example, load_examples


def find_structures(words: Sequence[str], element: str | None) -> tuple[list[Example], list[Entry]]:
    """The examples and minerals that hold all words.

    Args:
        words: parts of id, formula, name or reference, whatever their case.
        element: only those with this element; None: all.

    Raises:
        WrongCallError: nothing holds all words.
        XanesflowError: the database of minerals is missing.
    """
    chosen = element and read_element(element)
    examples = [each for each in load_examples() if _holds(each, words)]
    examples = [each for each in examples if not chosen or chosen in {site.element for site in each.sites}]
    minerals = [each for each in search(words) if not chosen or chosen in each.elements]
    if not examples and not minerals:
        with_element = f" with {chosen}" if chosen else ""
        asked = printable(" ".join(words), 200)
        raise WrongCallError(f"No example and no mineral{with_element} holds {asked}; write fewer or other words.")
    return examples, minerals


def _holds(example: Example, words: Sequence[str]) -> bool:
    text = f"{example.id} {example.formula} {example.name} {example.reference}".lower()
    return all(word.lower() in text for word in words)
