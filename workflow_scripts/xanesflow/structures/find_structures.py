"""Find examples and minerals by words."""

from __future__ import annotations

from collections.abc import Sequence

from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import listing, printable
from xanesflow.structures.amcsd.database import Entry
from xanesflow.structures.amcsd.find_mineral import search
from xanesflow.structures.choose_site import read_element
from xanesflow.structures.examples import Example, load_examples


def find_structures(words: Sequence[str], elements: Sequence[str] = ()) -> tuple[list[Example], list[Entry]]:
    """The examples and minerals that hold all words and all elements.

    Args:
        words: parts of id, formula, name or reference, whatever their case.
        elements: only those with all of these.

    Raises:
        WrongCallError: nothing holds all words, neither words nor elements are given, or one is no element.
        XanesflowError: the database of minerals is missing.
    """
    if not words and not elements:
        raise WrongCallError("Write a part of a name, formula or reference, or elements that it must contain.")
    chosen = {read_element(each) for each in elements}
    examples = [each for each in load_examples() if _holds(each, words)]
    examples = [each for each in examples if chosen <= {site.element for site in each.sites}]
    minerals = [each for each in search(words) if chosen <= each.elements]
    if not examples and not minerals:
        with_elements = f" with {listing(sorted(chosen))}" if chosen else ""
        asked = f" holds {printable(' '.join(words), 200)}" if words else " is there"
        raise WrongCallError(f"No example and no mineral{with_elements}{asked}; write fewer or other words.")
    return examples, minerals


def found_rows(examples: Sequence[Example], minerals: Sequence[Entry]) -> list[list[str]]:
    """What tables show of each: id, formula, name, conditions of the measurement, reference."""
    rows = [[each.id, each.formula, each.name, "", " ".join(each.reference.split())] for each in examples]
    for each in minerals:
        name = f"{each.mineral or each.formula}{', partly occupied' if each.partly_occupied else ''}"
        rows.append([each.id, each.formula.replace(" ", ""), name, str(each.conditions), each.reference])
    return rows


def _holds(example: Example, words: Sequence[str]) -> bool:
    text = f"{example.id} {example.formula} {example.name} {example.reference}".lower()
    return all(word.lower() in text for word in words)
