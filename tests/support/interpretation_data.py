"""Made-up sites whose spectra say what the sites are like: quick to learn, with known answers."""

from __future__ import annotations

import numpy as np

from xanesflow.interpretation.site_descriptors import DESCRIPTORS
from xanesflow.interpretation.training_data import TrainingData

START_EV = 8983.0
PARTS = np.array(["train"] * 7 + ["val", "val", "test", "test"])


def made_up_sites(n=220, *, seed=0, name="Cu_FEFF", parts=PARTS):
    """Sites with 4, 5 or 6 neighbours, read off the white line, and a distance, read off a wiggle after it.

    The charge of every tenth site is not known, and `ocn` of none.
    """
    rng = np.random.default_rng(seed)
    cn = rng.integers(4, 7, n).astype(float)
    distance = rng.uniform(1.8, 2.2, n)
    energy = 0.25 * np.arange(141)
    edge = rng.uniform(8, 12, (n, 1))
    spectra = 0.5 + np.arctan(energy - edge) / np.pi
    spectra += 0.15 * (cn[:, None] - 3) * np.exp(-(((energy - edge - 4) / 2) ** 2))
    spectra += 0.3 * np.sin((energy - edge) * distance[:, None] / 2) * (energy > edge + 8)
    values = np.full((n, len(DESCRIPTORS)), np.nan)
    order = list(DESCRIPTORS)
    known = {"oxidation_state": np.full(n, 2.0), "cn": cn, "oxygens": cn, "nn_mean": distance, "nn_std": distance - 1.8}
    known |= {"min_nn_nn": 1.4 * distance, "charge_transfer": np.where(np.arange(n) % 10, -cn / 20, np.nan)}
    for column, numbers in known.items():
        values[:, order.index(column)] = numbers
    part = parts[np.arange(n) % len(parts)]
    ids = [f"mp-{k}_000" for k in range(n)]
    return TrainingData(name, {"Cu": START_EV}, ids, ["CuO"] * n, np.full(n, name), 1e-3 * spectra, values, part)
