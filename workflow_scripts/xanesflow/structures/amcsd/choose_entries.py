"""Choose the entries of a campaign by chemical system, conditions and year."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xanesflow.structures.amcsd.conditions import Conditions
from xanesflow.structures.amcsd.database import Entry

ROOM_K, AIR_GPA = 298.0, 0.0
"""Taken for an entry that states nothing."""


@dataclass(frozen=True)
class Filters:
    """Which entries of the chemical systems are taken; None: all."""

    max_atoms: int | None = None  # largest number of atoms in the cell that the database gives
    temperature: tuple[float, float] | None = None  # lowest and highest in K; an entry that states none counts as 298 K
    pressure: tuple[float, float] | None = None  # lowest and highest in GPa; an entry that states none counts as 0
    year: int | None = None  # of the oldest paper

    def refuse(self, entry: Entry) -> str:
        """Why an entry is left out by what it states, in words; empty if it is taken. `max_atoms` comes later."""
        where = "structures.amcsd"
        given: Conditions = entry.conditions
        kelvin = ROOM_K if given.temperature_k is None else given.temperature_k
        gigapascal = AIR_GPA if given.pressure_gpa is None else given.pressure_gpa
        if self.year is not None and entry.year < self.year:
            return f"it was published in {entry.year}, before {where}.year"
        if self.temperature is not None and not self.temperature[0] <= kelvin <= self.temperature[1]:
            return f"it was measured at {kelvin:g} K, outside {where}.temperature"
        if self.pressure is not None and not self.pressure[0] <= gigapascal <= self.pressure[1]:
            return f"it was measured at {gigapascal:g} GPa, outside {where}.pressure"
        return ""


def choose_entries(entries: Iterable[Entry], systems: Iterable[str]) -> list[Entry]:
    """The entries of some chemical systems, in their order.

    Args:
        entries: to choose from.
        systems: such as `Cu-O-*`, where * is any other element.
    """
    wanted = [system.split("-") for system in systems]
    return [entry for entry in entries if any(_is_of(entry.elements, parts) for parts in wanted)]


def _is_of(elements: frozenset[str], parts: list[str]) -> bool:
    named = {part for part in parts if part != "*"}
    return named <= elements and len(elements) == len(named) + parts.count("*")


def rank(entry: Entry) -> tuple[bool, bool, bool, int, int]:
    """The order in which entries stand for their mineral: ordered, ambient, certain of it, newest, first in number."""
    conditions = entry.conditions
    return entry.partly_occupied, not conditions.ambient, conditions.uncertain, -entry.year, entry.number
