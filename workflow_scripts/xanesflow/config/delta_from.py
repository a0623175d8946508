"""What `models.delta_from` means: the cheaper level of theory under delta models.

The cheaper runs have the same sites as the subset above them. They form a subset that you need not name, such as
`Cu_FEFF8L` below `Cu_FEFF`. It is simulated or imported like any other, and its spectra become features of the sites.
"""

from __future__ import annotations

from collections.abc import Iterable

from xanesflow.codes.registry import theory_of
from xanesflow.core.sites import Subset


def cheap_theory(delta_from: str | None) -> str | None:
    """The level of theory of `models.delta_from`, which names the theory or one of its subsets; None if not set."""
    return None if delta_from is None else delta_from.rsplit("_", maxsplit=1)[-1]


def cheap_subsets(delta_from: str | None, subsets: Iterable[str]) -> dict[str, str]:
    """The subset of cheaper runs below each subset, `{"Cu_FEFF": "Cu_FEFF8L"}`; empty if there are none."""
    theory = cheap_theory(delta_from)
    return {} if theory is None else {name: f"{Subset.parse(name).element}_{theory}" for name in subsets}


def cheap_features(delta_from: str | None) -> str | None:
    """Name of the features from the cheaper runs, such as `feff8l`; None if there are none."""
    theory = cheap_theory(delta_from)
    return None if theory is None else theory_of(theory).run_features


def computed_cheap_subsets(delta_from: str | None, subsets: Iterable[str], source: str) -> list[str]:
    """The subsets of cheaper runs that this campaign computes.

    With `simulations.source: archive` they are imported like all others, if runs of their theory can be imported.
    """
    names = sorted(set(cheap_subsets(delta_from, subsets).values()))
    return [name for name in names if source == "run" or not theory_of(Subset.parse(name).theory).importable]
