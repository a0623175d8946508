"""Read the test part with a trained interpreter: as simulated, and shifted or broadened."""

from __future__ import annotations

import numpy as np
import pandas as pd

from xanesflow.core.array_types import Floats
from xanesflow.interpretation.figures_of_merit import scores_of
from xanesflow.interpretation.fit_reader import Values
from xanesflow.interpretation.interpreter import Interpreter
from xanesflow.interpretation.training_data import TrainingData
from xanesflow.interpretation.views import View, distorted, see

MODEL_NAMES: dict[View, str] = {"grid": "{}", "whole": "{}_exact", "aligned": "{}_aligned"}
"""Names in the tables: the plain one is trained for an unknown calibration; `_exact` takes energies and resolution as
those of the simulation; `_aligned` sees no absolute energies, and is for measured spectra."""

CONDITIONS = (
    *((shift, 0.0) for shift in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)),
    *((0.0, fwhm) for fwhm in (1.0, 2.0, 4.0)),
)
"""Shifts and full widths at half maximum in eV at which the test part is read."""

NOISE = 0.01

PREDICTION_COLUMNS = [
    "model", "descriptor", "site_id", "subset", "truth", "value", "low_90", "high_90", "class_value",
    "class_probability",
]  # fmt: skip
"""Columns of a table of predictions."""


def predict_test(interpreter: Interpreter, data: TrainingData) -> pd.DataFrame:
    """Read the test part as it was simulated: a row for each site, view and descriptor."""
    rows, truth = data.rows("test"), interpreter.targets.take(data.values[data.rows("test")])
    tables = []
    for view, fitted in interpreter.readers.items():
        if len(rows):
            values = fitted.values(see(data.spectra[rows], view), interpreter.targets)
            tables.append(_table(MODEL_NAMES[view].format(interpreter.card.model), interpreter, values, truth, data))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PREDICTION_COLUMNS)


def _table(model: str, interpreter: Interpreter, values: Values, truth: Floats, data: TrainingData) -> pd.DataFrame:
    rows = data.rows("test")
    tables = []
    for column, name in enumerate(interpreter.targets.names):
        shares = values.probabilities.get(name)
        classes = np.array(interpreter.targets.classes.get(name, ()), dtype=np.float64)
        tables.append(
            pd.DataFrame(
                {
                    "model": model,
                    "descriptor": name,
                    "site_id": [data.ids[row] for row in rows],
                    "subset": data.subsets[rows],
                    "truth": truth[:, column],
                    "value": values.values[:, column],
                    "low_90": values.low[:, column],
                    "high_90": values.high[:, column],
                    "class_value": np.nan if shares is None else classes[shares.argmax(axis=1)],
                    "class_probability": np.nan if shares is None else shares.max(axis=1),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def measure_robustness(interpreter: Interpreter, data: TrainingData) -> pd.DataFrame:
    """R², error and coverage on the test part at each of `CONDITIONS`, for every view and descriptor."""
    rows = data.rows("test")
    truth = interpreter.targets.take(data.values[rows])
    found = []
    for shift, fwhm in CONDITIONS if len(rows) else ():
        rng = np.random.default_rng([0, 28])
        noise = NOISE * rng.standard_normal((len(rows), data.spectra.shape[1]))
        spectra = distorted(data.spectra[rows], np.full(len(rows), shift), np.full(len(rows), fwhm), noise)
        for view, fitted in interpreter.readers.items():
            given = {"model": MODEL_NAMES[view].format(interpreter.card.model), "shift_ev": shift, "fwhm_ev": fwhm}
            values = fitted.values(see(spectra, view), interpreter.targets)
            found += [{**given, **each} for each in _scores(values, truth, interpreter)]
    return pd.DataFrame(
        found, columns=["model", "descriptor", "shift_ev", "fwhm_ev", "n_test", "r2", "mae", "coverage_90"]
    )


def _scores(values: Values, truth: Floats, interpreter: Interpreter) -> list[dict[str, object]]:
    """The figures of each descriptor."""
    found = []
    for column, name in enumerate(interpreter.targets.names):
        each = scores_of(truth[:, column], *(part[:, column] for part in (values.values, values.low, values.high)))
        found.append({"descriptor": name, **{key: each[key] for key in ("n_test", "r2", "mae", "coverage_90")}})
    return found
