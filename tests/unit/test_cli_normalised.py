"""`xanesflow xanes --normalised` and `--broaden`: background, spectrum in units of its step, documented width."""

import numpy as np
import pandas as pd
import pytest

from xanesflow.codes.feff8l import XanesResult
from xanesflow.core.errors import WrongCallError
from xanesflow.matching.write_normalised import read_broadening, write_normalised
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.structures.choose_site import Absorber

ENERGY = np.arange(8320.0, 8372.0, 0.1)


def outcome(index, multiplicity, scale):
    """A step of height `scale` at 8335 eV with a line 10 eV above it."""
    background = scale * (0.5 + np.arctan((ENERGY - 8335) / 0.5) / np.pi)
    line = scale * 0.6 * np.exp(-((ENERGY - 8345) ** 2) / 8)
    return SiteResult(
        Absorber("Ni", index, multiplicity), XanesResult(ENERGY, background + line, background, {}), "", 1
    )


def test_the_table_has_the_weighted_mean_in_units_of_its_step(tmp_path):
    path = tmp_path / "out.csv"
    assert write_normalised(path, [outcome(0, 1, 1e-3), outcome(1, 3, 2e-3)], read_broadening("gaussian:1.5"))
    table = pd.read_csv(path, comment="#")
    assert list(table) == ["energy_ev", "cross_section", "background", "normalised", "broadened"]
    far = table[table["energy_ev"] > 8360]
    assert far["background"].to_numpy() == pytest.approx(1.75e-3, rel=0.02)
    assert far["normalised"].to_numpy() == pytest.approx(1.0, abs=0.02)
    at = table.iloc[(table["energy_ev"] - 8345).abs().idxmin()]
    assert at["normalised"] == pytest.approx(1.6, abs=0.03)
    # A Gaussian line of σ = 2 eV broadened by 1.5 eV keeps its area: 0.6 × 2 / 2.5 high
    assert at["broadened"] == pytest.approx(1.0 + 0.6 * 2 / 2.5, abs=0.03)
    header = path.read_text(encoding="utf-8")
    assert "broadened: gaussian, width 1.5 eV" in header


def test_without_a_background_nothing_is_written(tmp_path):
    failed = SiteResult(Absorber("Ni", 0, 1), None, "it crashed", 1)
    assert not write_normalised(tmp_path / "out.csv", [failed, outcome(1, 1, 1e-3)], None)
    assert list(tmp_path.iterdir()) == []


def test_broadenings_are_read_or_refused_in_a_sentence():
    rising = read_broadening("arctangent:1:4:25")
    assert (rising.kind, rising.width_ev, rising.rise_ev, rising.centre_ev) == ("arctangent", 1.0, 4.0, 25.0)
    assert read_broadening("lorentzian:1").rise_ev == 5.0
    for wrong in (
        "gaussian",
        "gaussian:1:2",
        "box:1",
        "lorentzian:x",
        "gaussian:-1",
        "arctangent:1:2:0",
        "gaussian:nan",
    ):
        with pytest.raises(WrongCallError, match="--broaden"):
            read_broadening(wrong)
