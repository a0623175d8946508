"""A world in which what an expensive level of theory has beyond a cheap one is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xanesflow.features.cheap_runs.columns import FIELD, FRAME_POINTS, NUMBERS, frame_energies
from xanesflow.models.subset_data import SubsetData

START_EV = 8983.173
FERMI = FIELD.index("fermi_ev") - NUMBERS["feff8l"]
DIMENSIONS = {"radial": 6, "feff8l": FRAME_POINTS + NUMBERS["feff8l"]}


def edge(energy: np.ndarray, middle: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """(n, m) bohr²: edges at (n,) eV with fine structure behind of (n,) wave numbers."""
    behind = np.clip(energy[None] - middle[:, None], 0, None)
    return 1e-3 * (
        0.5 + np.arctan(energy[None] - middle[:, None]) / np.pi
        + 0.15 * np.sin(wave[:, None] * behind) * np.exp(-behind / 20) * (behind > 0)
    )  # fmt: skip


def shifts_of(features: np.ndarray) -> np.ndarray:
    """(n,) eV that the cheap spectrum lies too low by: of the structure's first number and the cheap Fermi level."""
    return 0.4 + 0.4 * np.tanh(features[:, 0]) + 0.6 * np.tanh(features[:, FERMI])


def world(n_train: int = 120, n_val: int = 30, n_test: int = 30, *, seed: int = 0, radial: int = 6) -> SubsetData:
    """Sites of which the cheap spectrum is shifted, and too low behind the edge; one or two a material."""
    rng = np.random.default_rng(seed)
    n = n_train + n_val + n_test
    structure = rng.normal(size=(n, radial))
    middle, wave = START_EV + 9 + 1.5 * rng.normal(size=n), rng.uniform(0.3, 1.2, size=n)
    numbers = rng.normal(size=(n, NUMBERS["feff8l"]))
    cheap = edge(frame_energies(START_EV), middle, wave)
    energy = START_EV + 0.25 * np.arange(141)
    shift = shifts_of(np.hstack([structure, numbers]))
    more = 5e-5 * (1 + np.tanh(structure[:, 1]))[:, None] * (energy[None] > middle[:, None] + shift[:, None] + 3)
    spectra = edge(energy, middle + shift, wave) + more
    split = np.array(["train"] * n_train + ["val"] * n_val + ["test"] * n_test)
    return SubsetData(
        path=Path("dataset.h5"),
        subset="Cu_FEFF",
        features_name="radial+feff8l",
        energy_ev=energy,
        spectra=spectra,
        features=np.hstack([structure, cheap, numbers]).astype(np.float32),
        split=split,
        ids=[f"mp-{k // 2 if k < n_train else k}_{k % 2:03d}" for k in range(n)],
        feature_dimensions=DIMENSIONS | {"radial": radial},
        featurizers={name: {"weights_hash": name} for name in DIMENSIONS},
        file_sha256="0" * 64,
        data_sha256="1" * 64,
    )


def eta(data: SubsetData, predicted: np.ndarray) -> float:
    """Figure of merit on the test part."""
    rows = data.rows("test")
    mean = data.spectra[data.rows("train")].mean(axis=0)
    errors = [((each - data.spectra[rows]) ** 2).mean(axis=1) for each in (mean, predicted)]
    return float(np.median(errors[0]) / np.median(errors[1]))
