"""What `xanesflow.predict` returns: predicted spectra that you can tabulate, write and draw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xanesflow.prediction.data import Predicted
from xanesflow.prediction.plot import draw_prediction
from xanesflow.prediction.write import tabulate, write_prediction

if TYPE_CHECKING:
    import pandas as pd


class Prediction(Predicted):
    """Predicted spectra of structures; see `Predicted` for what it holds."""

    def pandas(self) -> pd.DataFrame:
        """A row for each energy of each site, and of each material's average; see `tabulate`."""
        return tabulate(self)

    def write(self, path: str | Path) -> None:
        """Write it as CSV or HDF5, as the file's ending says, whole or not at all.

        Raises:
            XanesflowError: the ending is another one.
        """
        write_prediction(path, self)

    def plot(self, path: str | Path) -> None:
        """Draw it as SVG, PNG, PDF or a self-contained HTML page, as the file's ending says.

        Raises:
            XanesflowError: the ending is another one.
        """
        draw_prediction(path, self)
