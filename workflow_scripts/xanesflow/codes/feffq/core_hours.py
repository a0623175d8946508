"""Estimate what a run of quick FEFF costs: the model of `codes.feff.core_hours`, for the cards of each site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.feff.core_hours import describe_clusters, seconds_of_pip
from xanesflow.codes.feff.write_inputs import clusters_of
from xanesflow.codes.feffq.options import SETTINGS
from xanesflow.codes.feffq.write_inputs import CLUSTER_RADIUS, cards_of


def feffq_costs(
    structure: Structure, sites: Sequence[int], options: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of each site's cluster (n,), in atoms, and the expected core hours of its run (n,).

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
        options: of the engine: `settings`.
    """
    quick = SETTINGS[options["settings"]]
    atoms, hours = [], []
    for site, cluster in clusters_of(structure, list(sites), CLUSTER_RADIUS).items():
        inputs = {"cards": cards_of(cluster, quick), "radius": CLUSTER_RADIUS}
        (described,) = describe_clusters(structure, [site], inputs)
        atoms.append(described.atoms)
        hours.append(seconds_of_pip(described) / 3600)
    return np.array(atoms), np.array(hours)
