"""The spectra of disordered crystals in the report, against means done by hand."""

import numpy as np
import pandas as pd

from xanesflow.core.figures import read_note
from xanesflow.report.figures.disordered import disordered_crystals, draw_disordered
from xanesflow.spectra.store import CuratedSpectra, write_spectra

SITES = [("x.cell1", 0, 1), ("x.cell1", 3, 3), ("x.cell2", 0, 4), ("y.cell1", 0, 1), ("y.cell2", 1, 1), ("z", 0, 2)]


def curated(*, without=()):
    kept = [(k, m, i, n) for k, (m, i, n) in enumerate(SITES) if (m, i) not in without]
    return CuratedSpectra(
        subset="Fe_FEFF8L",
        energy_ev=7111.23 + 0.25 * np.arange(141),
        spectra=1e-3 * np.array([np.full(141, 1.0 + k) for k, *_ in kept]),
        material_id=[m for _, m, _, _ in kept],
        site_index=np.array([i for _, _, i, _ in kept]),
        multiplicity=np.array([n for *_, n in kept]),
        rejected=[],
    )


def sites():
    rows = [(m, i, n, "FeO" if m[0] == "x" else "MnO") for m, i, n in SITES]
    return pd.DataFrame(rows, columns=["material_id", "site_index", "multiplicity", "formula"])


def test_cells_are_averaged_over_their_atoms_and_crystals_over_their_cells():
    x, y = disordered_crystals(curated(), sites())
    assert (x.name, x.formula, x.of, y.name) == ("x", "FeO", 2, "y")
    first = (1 * 1 + 2 * 3) / 4  # spectra 1 and 2 of one and three atoms; the second cell has the third spectrum alone
    assert np.allclose(1e3 * x.cells[:, 0], [first, 3]) and np.allclose(1e3 * x.mean, (first + 3) / 2)
    assert np.allclose(1e3 * y.mean, 4.5)


def test_a_cell_with_a_missing_site_is_left_out_and_counted():
    (x,) = disordered_crystals(curated(without=[("x.cell1", 3), ("y.cell1", 0), ("y.cell2", 1)]), sites())
    assert len(x.cells) == 1 and x.of == 2 and np.allclose(1e3 * x.mean, 3)


def test_the_figure_names_crystals_and_says_where_there_is_none(tmp_path):
    write_spectra(tmp_path / "s.h5", curated(without=[("x.cell1", 3)]), {})
    sites().to_parquet(tmp_path / "sites.parquet")
    draw_disordered(tmp_path / "s.h5", tmp_path / "sites.parquet", tmp_path / "d.svg")
    text = (tmp_path / "d.svg").read_text()
    assert "FeO, 1 of 2 cells" in text and "MnO, 2 cells" in text and "their mean" in text
    sites()[-1:].to_parquet(tmp_path / "sites.parquet")
    draw_disordered(tmp_path / "s.h5", tmp_path / "sites.parquet", tmp_path / "none.svg")
    assert "no disordered crystal has a whole cell with spectra" in read_note(tmp_path / "none.svg")
