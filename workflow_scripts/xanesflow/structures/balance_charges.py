"""Charges that balance a composition, where the number of possibilities is not beyond counting."""

from __future__ import annotations

from math import comb, prod

from pymatgen.core import Composition, Element

MOST_TRIED = 1_000_000
"""Charges that are tried; a million take some seconds. Common oxides need some hundred."""


def balancing_charges(composition: Composition) -> dict[str, float]:
    """The most usual average charge of each element, so that all add up to zero, as pymatgen guesses them.

    Returns:
        By symbol; empty if no usual charges add up to zero, or more than `MOST_TRIED` would have to be tried.
    """
    amounts = {symbol: int(amount) for symbol, amount in composition.reduced_composition.get_el_amt_dict().items()}
    usual = {symbol: Element(symbol) for symbol in amounts}
    charges = {symbol: each.icsd_oxidation_states or each.common_oxidation_states for symbol, each in usual.items()}
    # pymatgen tries all combinations of charges of each element's atoms, then all combinations of their sums.
    each = sum(number * comb(number + len(charges[symbol]) - 1, number) for symbol, number in amounts.items())
    sums = prod(number * (max(of, default=0) - min(of, default=0)) + 1 for number, of in
                zip(amounts.values(), charges.values(), strict=True))  # fmt: skip
    if len(amounts) < 2 or not all(charges.values()) or each + sums > MOST_TRIED:
        return {}
    guesses = composition.oxi_state_guesses(max_sites=-1)
    return {symbol: float(charge) for symbol, charge in guesses[0].items()} if guesses else {}
