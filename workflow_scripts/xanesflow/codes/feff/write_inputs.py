"""Write inputs of FEFF 9 and 10: Lightshow makes cards and folders, this module writes potentials and atoms.

pymatgen's writer, which Lightshow calls, takes 0.13 s for each site where this takes 6 ms. It also writes the
stoichiometry of the cluster. The published files (all 4,833 Cu sites) hold that of the unit cell, and so do these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Element, Structure

from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.core.errors import NoInputError

_SAME_SHELL_A = 1e-4  # atoms whose distances differ by less are sorted by element and position


@dataclass(frozen=True)
class FeffCluster:
    """Atoms around an absorber, sorted by distance; the absorber is the first."""

    symbols: tuple[str, ...]  # (n,) elements
    positions_a: NDArray[np.float64]  # (n, 3) in Å, the absorber at the origin


class Feff:
    """Writes `FEFF-XANES/<site>_<element>/feff.inp`."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        self._radius = float(options["radius"])
        cards = {}
        for card, value in options["cards"].items():
            if value is not None:
                cards[card] = value if isinstance(value, str) else "".join(f"\n{line}" for line in value)
        with without_local_folders():
            self._parameters = _parameters_class()(
                cards=cards, edge="K", radius=self._radius, spectrum="XANES", name="FEFF-XANES"
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write the feff.inp of each site; absorbers without a neighbour are returned instead."""
        clusters = clusters_of(structure, sites, self._radius)
        left_out = {
            site: NoInputError(
                "isolated_atom", f"no atom within {self._radius:g} Å (inputs.feff.radius) of the absorber"
            )
            for site, cluster in clusters.items()
            if len(cluster.symbols) == 1
        }
        good = [site for site in sites if site not in left_out]
        if good:
            self._parameters.clusters = clusters
            self._parameters.write(folder / self._parameters.name, structure_uc=structure, sites=good)
        return left_out


def clusters_of(structure: Structure, sites: list[int], radius_a: float) -> dict[int, FeffCluster]:
    """Find all atoms within `radius_a` of each absorber, in an order that does not vary.

    Args:
        structure: the material.
        sites: 0-based indices of the absorbers.
        radius_a: in Å.
    """
    around = [structure[site] for site in sites]
    centres, points, images, distances = structure.get_neighbor_list(radius_a, sites=around, exclude_self=True)
    elements = np.array([site.specie.symbol for site in structure])
    cartesian, matrix = structure.cart_coords, structure.lattice.matrix
    clusters = {}
    for number, site in enumerate(sites):
        # Leave out the absorber itself, which pymatgen counts as another atom when you pass `sites`.
        mine = (centres == number) & ~((points == site) & (distances < _SAME_SHELL_A))
        index = points[mine]
        positions = cartesian[index] + images[mine] @ matrix - cartesian[site]
        symbols = elements[index]
        rounded = np.round(positions, 3) + 0.0
        shell = np.round(distances[mine] / _SAME_SHELL_A)
        order = np.lexsort((*rounded.T[::-1], symbols, shell))
        clusters[site] = FeffCluster(
            (str(elements[site]), *(str(symbol) for symbol in symbols[order])),
            np.vstack([np.zeros(3), positions[order]]),
        )
    return clusters


class _Written:
    """One feff.inp, with the method of pymatgen's `FEFFDictSet` that Lightshow calls."""

    def __init__(self, head: str, structure: Structure, cluster: FeffCluster) -> None:
        self._text = feff_inp(head, structure, cluster)

    def write_input(self, output_dir: Path) -> None:
        output_dir.mkdir(parents=True, exist_ok=True)
        (output_dir / "feff.inp").write_text(self._text, encoding="utf-8")


def feff_inp(head: str, structure: Structure, cluster: FeffCluster) -> str:
    """Return the text of a feff.inp.

    Args:
        head: title and cards.
        structure: the material.
        cluster: the atoms around the absorber.
    """
    numbers = potential_numbers(cluster)
    return "\n\n".join([head, _potentials(structure, cluster, numbers), _atoms(cluster, numbers)])


def _potentials(structure: Structure, cluster: FeffCluster, numbers: dict[str, int]) -> str:
    absorber = cluster.symbols[0]
    amounts = structure.composition.get_el_amt_dict()
    rows = [(0, absorber, "0.0001")]
    rows += [(number, symbol, f"{amounts[symbol]:g}") for symbol, number in numbers.items()]
    lines = [f"{n:7d}  {Element(s).Z:3d}  {s:<4s}      -1       -1  {amount:>22s}         0" for n, s, amount in rows]
    head = "*  ipot    Z  tag      lmax1    lmax2    xnatph(stoichometry)    spinph"
    return "\n".join(["POTENTIALS", head, *lines])


def _atoms(cluster: FeffCluster, numbers: dict[str, int]) -> str:
    positions = np.round(cluster.positions_a, 6) + 0.0  # no -0.0
    distances = np.linalg.norm(cluster.positions_a, axis=1)
    kinds = [0, *(numbers[symbol] for symbol in cluster.symbols[1:])]
    lines = [
        f"{x:12.6f}{y:12.6f}{z:12.6f}  {kind:4d}  {symbol:<4s}{distance:12.6f}{number:8d}"
        for number, ((x, y, z), kind, symbol, distance) in enumerate(
            zip(positions.tolist(), kinds, cluster.symbols, distances.tolist(), strict=True)
        )
    ]
    head = "*          x           y           z  ipot  Atom    Distance  Number"
    return "\n".join(["ATOMS", head, *lines, "END", ""])


def potential_numbers(cluster: FeffCluster) -> dict[str, int]:
    """Number the potentials of the elements around the absorber from 1, in the order of their atomic numbers.

    The absorber's element is included only if the cluster has another atom of it, as FEFF refuses a potential without
    atoms.
    """
    around = sorted(set(cluster.symbols[1:]), key=lambda symbol: Element(symbol).Z)
    return {symbol: number for number, symbol in enumerate(around, start=1)}


def _parameters_class() -> Any:
    """Make Lightshow's FEFF parameters, with `_Written` in place of pymatgen's input sets."""
    lightshow: Any = import_lightshow("parameters.feff")

    class Parameters(lightshow.FEFFParameters):
        clusters: Mapping[int, FeffCluster]

        def get_FEFFDictSets(self, structure: Structure, absorbing_sites: list[int]) -> list[_Written]:  # noqa: N802
            # Header and cards are the same for all sites, so Lightshow makes them once, for the first.
            first = super().get_FEFFDictSets(structure, absorbing_sites[:1])[0]
            head = f"{first.header()}\n\n{first.tags}"
            return [_Written(head, structure, self.clusters[site]) for site in absorbing_sites]

    return Parameters
