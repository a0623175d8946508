"""Fit a reader on one view of the training spectra, and its error bars on the validation spectra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.interpretation.bars import Bars
from xanesflow.interpretation.readers import SpectrumReader, reader_from_arrays, train_reader
from xanesflow.interpretation.targets import Targets
from xanesflow.interpretation.training_data import TrainingData
from xanesflow.interpretation.views import MEASURED, UNKNOWN_CALIBRATION, Distortion, View, distort, see

COPIES = {"trees": 4, "network": 6, "blend": 10}
"""Distorted copies of each training spectrum, besides itself."""

SMOOTH_COPIES = 5
"""As many of them do for the network and the kernel of a blend, which read the coordination number worse with more."""

EXACT_TREES = 200
"""Trees of a blend that takes energies as simulated: without copies they are small."""

CALIBRATION_COPIES = 4
"""Distorted copies of each validation spectrum, besides itself."""

DISTORTIONS: Mapping[View, Distortion | None] = {"whole": None, "grid": UNKNOWN_CALIBRATION, "aligned": MEASURED}
"""How the copies of each view are distorted; None: none, as energies and resolution are those of the simulation."""


@dataclass(frozen=True, eq=False)
class FittedReader:
    """A reader of one view, with its error bars."""

    view: View
    reader: SpectrumReader
    bars: Bars

    def values(self, inputs: Floats, targets: Targets) -> Values:
        """Read spectra, given as the view sees them."""
        found, spread = self.reader.predict(inputs)
        k = len(targets.names)
        low, high = self.bars.around(found, spread, targets)
        values = np.clip(found[:, :k] * targets.scale + targets.mean, targets.low, targets.high)
        return Values(values, low, high, self.bars.probabilities(found, targets))


@dataclass(frozen=True, eq=False)
class Values:
    """What was read from n spectra.

    Attributes:
        values: (n, k) descriptors.
        low, high: (n, k) ends of the 90 % bars.
        probabilities: (n, c) of the classes, by descriptor.
    """

    values: Floats
    low: Floats
    high: Floats
    probabilities: dict[str, Floats]


def fit_reader(kind: str, view: View, data: TrainingData, targets: Targets, seed: int) -> FittedReader:
    """Fit a reader.

    Args:
        kind: `trees`, `network` or `blend`.
        view: what it sees.
        data: sites with their parts.
        targets: what it learns.
        seed: of its random numbers and of the distortions.
    """
    rng = np.random.default_rng([seed, 26])
    train, val = data.rows("train"), data.rows("val")
    inputs, rows = _with_copies(data.spectra[train], view, COPIES[kind], rng)
    reader = train_reader(
        kind,
        inputs,
        targets.encode(data.values[train])[rows],
        targets,
        seed,
        trees=EXACT_TREES if kind == "blend" and DISTORTIONS[view] is None else None,
        smooth_rows=(1 + SMOOTH_COPIES) * len(train),
    )
    inputs, rows = _with_copies(data.spectra[val], view, CALIBRATION_COPIES, rng)
    wanted = targets.encode(data.values[val])[rows]
    bars = Bars.fit(*reader.predict(inputs), wanted, targets, sites=len(val))
    return FittedReader(view, reader, bars)


def _with_copies(
    spectra: Floats, view: View, number: int, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.intp]]:
    """What a view sees of spectra and their distorted copies, and the spectrum of each row."""
    distortion = DISTORTIONS[view]
    number = number if distortion else 0
    seen = [see(spectra, view)]
    seen += [see(distort(spectra, distortion, rng), view) for _ in range(number) if distortion]
    return np.concatenate(seen), np.tile(np.arange(len(spectra)), number + 1)


def arrays_of(fitted: FittedReader) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a fitted reader, named by its view."""
    of_bars = {"floor": fitted.bars.floor, "factor": fitted.bars.factor}
    named = {f"bars.{name}": value for name, value in of_bars.items()} | fitted.reader.arrays()
    return {f"{fitted.view}.{name}": value for name, value in named.items()}


def from_arrays(
    kind: str, view: View, arrays: Mapping[str, npt.NDArray[Any]], temperature: dict[str, float], targets: Targets
) -> FittedReader:
    """Read a fitted reader back.

    Raises:
        KeyError: an array is missing.
    """
    own = {name.removeprefix(f"{view}."): value for name, value in arrays.items() if name.startswith(f"{view}.")}
    bars = Bars(own.pop("bars.floor"), own.pop("bars.factor"), temperature)
    return FittedReader(view, reader_from_arrays(kind, own, targets), bars)
