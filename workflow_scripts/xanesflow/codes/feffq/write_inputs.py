"""Write the feff.inp of quick FEFF: the paper's cards with small radii, which depend on the site."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.feff.write_inputs import FeffCluster, clusters_of, feff_inp
from xanesflow.codes.feffq.options import QuickSettings
from xanesflow.core.errors import FailedRunError

CLUSTER_RADIUS = 9.0
"""Å, as in the published inputs: atoms outside the sphere of multiple scattering still overlap with those inside."""

_BEYOND_SHELL_A = 0.1  # a sphere ends this far behind the last atom that it must hold


def write_feff_inp(structure: Structure, site_index: int, quick: QuickSettings) -> str:
    """Return the text of the feff.inp of a site.

    Args:
        structure: an ordered structure.
        site_index: 0-based index of the absorber.
        quick: settings.

    Raises:
        FailedRunError: the absorber has no neighbour.
    """
    cluster = clusters_of(structure, [site_index], CLUSTER_RADIUS)[site_index]
    if len(cluster.symbols) == 1:
        raise FailedRunError("isolated_atom", f"no atom within {CLUSTER_RADIUS:g} Å of the absorber")
    lines = [f"TITLE {structure.composition.reduced_formula}, site {site_index}", "EDGE K"]
    for card, value in cards_of(cluster, quick).items():
        lines.append(f"{card} {value}" if isinstance(value, str) else "\n".join([card, *value]))
    return feff_inp("\n".join(lines), structure, cluster)


def cards_of(cluster: FeffCluster, quick: QuickSettings) -> dict[str, str | list[str]]:
    """Return the cards of a site: what stands after each, or the lines below it."""
    return {
        "S02": "0",
        "COREHOLE": "RPA",
        "CONTROL": "1 1 1 1 1 1",
        "XANES": "4 0.04 0.1",
        "SCF": f"{scf_radius(cluster, quick):.3f} 0 100 0.2 3",
        "TOLSCF": " ".join(f"{one:g}" for one in quick.tolerances),
        "FMS": f"{quick.fms_radius:g} 0",
        "EXCHANGE": "0 0.0 0.0 2",
        "RPATH": "-1",
        "EGRID": ["k_grid -1 0 0.04", f"k_grid 0 4 {quick.k_step:g}"],
    }


def scf_radius(cluster: FeffCluster, quick: QuickSettings) -> float:
    """Radius in Å of the self-consistent field's spheres: the smallest in which each potential has enough atoms.

    FEFF puts one sphere around the absorber, and one around the atom of each element that is nearest to the absorber.
    """
    symbols = np.array(cluster.symbols)
    centres = [0, *(int(np.flatnonzero(symbols[1:] == one)[0]) + 1 for one in sorted(set(cluster.symbols[1:])))]
    apart = np.linalg.norm(cluster.positions_a[centres][:, None] - cluster.positions_a[None], axis=2)
    wanted = min(quick.scf_atoms, apart.shape[1]) - 1
    needed = float(np.sort(apart, axis=1)[:, wanted].max()) + _BEYOND_SHELL_A
    return min(max(needed, quick.scf_radius[0]), quick.scf_radius[1])
