"""The result of `xanesflow.predict`: predicted spectra that you can tabulate, write and draw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xanesflow.prediction.data import Predicted
from xanesflow.prediction.plot import draw_prediction
from xanesflow.prediction.write import tabulate, write_prediction

if TYPE_CHECKING:
    import pandas as pd


class Prediction(Predicted):
    """Predicted spectra of structures; `Predicted` describes the attributes."""

    def pandas(self) -> pd.DataFrame:
        """A row for each energy of each site, and of each material's average; see `tabulate`."""
        return tabulate(self)

    def write(self, path: str | Path) -> None:
        """Write the prediction as CSV or HDF5, by the file's ending, whole or not at all.

        Raises:
            XanesflowError: the file has another ending.
        """
        write_prediction(path, self)

    def plot(self, path: str | Path) -> None:
        """Draw the prediction as SVG, PNG, PDF or a self-contained HTML page, by the file's ending.

        Raises:
            XanesflowError: the file has another ending.
        """
        draw_prediction(path, self)
