"""The 101 raw scans of standards: Larch's reader agrees, edges lie where tables have them, repeats agree."""

import re
from collections import defaultdict
from functools import cache

import numpy as np
import pytest
from shared_data import shared

from xanesflow.core.errors import XanesflowError
from xanesflow.measured import Normalisation, Reading, merge_spectra, read_measured
from xanesflow.measured.measured_spectrum import Scan
from xanesflow.measured.normalise import normalise
from xanesflow.measured.write_measured import write_spectra

FOILS = {
    "V/V_foil": 5465, "Fe/Fe_Foil_rt_2016Foils": 7112, "Fe/Fe_metal_rt_01": 7112, "Co/co_metal_rt": 7709,
    "Ni/Ni_metal_rt_01": 8333, "Cu/cu_metal_rt": 8979, "Cu/Cu_Foil_rt_2016Foils": 8979, "Cu/cu_metal_10K": 8979,
}  # fmt: skip
"""Bearden and Burr's K edges in eV, which are the first inflections of the metals."""


@cache
def all_spectra():
    return {path: read_measured(path)[0] for path in sorted(shared("measured").glob("*/*.xdi"))}


def test_all_are_read_as_larch_reads_them():
    from larch.io import read_xdi

    assert len(all_spectra()) == 101
    for path, spectrum in all_spectra().items():
        larch = read_xdi(str(path))
        order = np.argsort(larch.energy)
        assert spectrum.energy_ev == pytest.approx(larch.energy[order], abs=1e-6), path
        assert spectrum.mu == pytest.approx(larch.mutrans[order], abs=1e-9), path
        assert (spectrum.element, spectrum.edge) == (larch.element, "K")


def test_normalisation_is_larchs():
    from larch import Group
    from larch.xafs import pre_edge

    for path, spectrum in all_spectra().items():
        known = spectrum.parameters
        group = Group(energy=spectrum.energy_ev.copy(), mu=spectrum.mu.copy())
        (pre1, pre2), (norm1, norm2) = known["pre_edge_range_ev"], known["post_edge_range_ev"]
        pre_edge(
            group, e0=spectrum.e0_ev, pre1=pre1, pre2=pre2, norm1=norm1, norm2=norm2, nnorm=known["post_edge_order"]
        )
        assert group.edge_step == pytest.approx(spectrum.edge_step, rel=2e-3), path
        assert group.norm == pytest.approx(spectrum.normalised, abs=5e-3), path


@pytest.mark.parametrize(
    "path",
    ("Cr/cro2_rt_001", "Cr/na2cro4_100K_001", "Cr/cr2o3_15K_001", "Cu/CuS_covellite_13K_01", "Fe/FeS2_rt_01",
     "Cu/cu_metal_rt", "Mn/Mn2O3_rt_01"),
)  # fmt: skip
def test_the_table_of_a_long_scan_is_read_again_as_it_was_normalised(path, tmp_path):
    (spectrum,) = read_measured(shared("measured") / f"{path}.xdi")
    write_spectra(tmp_path / "own.csv", [spectrum])
    (again,) = read_measured(tmp_path / "own.csv")
    assert again.parameters["mode"] == "normalised"
    assert again.e0_ev == pytest.approx(spectrum.e0_ev, abs=1e-3)
    assert again.normalised == pytest.approx(spectrum.normalised, abs=1e-5)


def test_half_the_step_is_crossed_where_tables_have_the_edge_and_not_later_in_it():
    for path, spectrum in all_spectra().items():
        tabulated = spectrum.parameters["tabulated_edge_ev"]
        assert 0 < spectrum.e0_ev - tabulated < 21, path  # half the step of compounds up to chromates
        assert np.interp(spectrum.half_step_ev, spectrum.energy_ev, spectrum.normalised) == pytest.approx(0.5, abs=5e-3)
        later = (spectrum.energy_ev > spectrum.half_step_ev + 0.6) & (spectrum.energy_ev < spectrum.half_step_ev + 60)
        assert spectrum.normalised[later].min() > 0.5, path


@pytest.mark.parametrize("name", FOILS)
def test_the_first_inflection_of_metals_is_the_tabulated_edge(name):
    """Within 2 eV, which is how well these monochromators were calibrated; half the step lies 4 to 10 eV above."""
    spectrum = read_measured(shared(f"measured/{name}.xdi"))[0]
    assert spectrum.parameters["largest_derivative_ev"] == pytest.approx(FOILS[name], abs=2)
    assert 3.5 < spectrum.e0_ev - FOILS[name] < 10


def test_the_element_is_found_from_the_energy_too(tmp_path):
    for path, spectrum in list(all_spectra().items())[::7]:
        copy = tmp_path / "scan.dat"
        np.savetxt(copy, np.column_stack([spectrum.energy_ev, spectrum.mu]))
        found = read_measured(copy)[0]
        assert (found.element, found.edge) == (spectrum.element, "K"), path
        assert found.parameters["element_from"] == "energy"
        assert found.e0_ev == pytest.approx(spectrum.e0_ev, abs=1e-6)


def cut(spectrum, before, after, sign=1.0):
    """The scan within some eV of its edge; of counts that are swapped with a sign of -1."""
    away = spectrum.energy_ev - spectrum.half_step_ev
    inside = (away > -before) & (away < after)
    return Scan(spectrum.energy_ev[inside], sign * spectrum.mu[inside], "mu", "cut", spectrum.element, "K")


@pytest.mark.parametrize(("before", "after"), [(20, 40), (20, 50), (30, 60), (20, 200)])
def test_short_scans_are_normalised_and_their_edge_is_found(before, after):
    for path, spectrum in all_spectra().items():
        assert normalise(cut(spectrum, before, after)).half_step_ev == pytest.approx(spectrum.half_step_ev, abs=4), path


@pytest.mark.parametrize(("before", "after"), [(15, 35), (20, 50), (15, 100), (15, 400)])
def test_swapped_counts_of_short_scans_are_refused_and_others_not_for_a_false_reason(before, after):
    for path, spectrum in all_spectra().items():
        with pytest.raises(XanesflowError, match="absorption falls"):
            normalise(cut(spectrum, before, after, -1.0))
        try:
            normalise(cut(spectrum, before, after))
        except XanesflowError as error:
            assert re.search(r"begins \d+ eV before the edge .* at least 12 eV", str(error)), path


def test_repeats_agree_and_are_merged():
    samples = defaultdict(list)
    for path, spectrum in all_spectra().items():
        samples[path.parent.name, re.sub(r"_0*\d+$", "", path.stem)].append(spectrum)
    repeated = {name: scans for name, scans in samples.items() if len(scans) > 1}
    assert len(repeated) > 20
    for name, scans in repeated.items():
        if name[1] == "Fe_metal_rt":  # foils of two beamlines
            continue
        halves = [each.half_step_ev for each in scans]
        assert np.ptp(halves) < 0.6, name
        merged = merge_spectra(scans)
        assert min(halves) - 0.1 < merged.e0_ev < max(halves) + 0.1, name


def test_the_edge_of_vanadium_oxides_is_not_their_pre_edge_peak():
    for name in ("V2O5", "VO2"):
        spectrum = read_measured(shared(f"measured/V/{name}.xdi"))[0]
        assert spectrum.e0_ev - spectrum.parameters["largest_derivative_ev"] > 9


def test_the_reference_channel_is_read_on_request_alone():
    """Foils measured behind the samples: the sample's element and its own edge, that of the metal."""
    path = shared("measured/Cr/k2cr2o7_rt_003.xdi")
    sample, foil = read_measured(path)[0], read_measured(path, Reading(mode="reference"))[0]
    assert (foil.element, foil.parameters["element_from"]) == ("Cr", "energy")
    assert foil.parameters["columns"] == {"energy": "energy", "it": "itrans", "ir": "irefer"}
    assert 5 < sample.e0_ev - foil.e0_ev < 20


@pytest.mark.parametrize("share", (0.1, 0.6, 1.5))
def test_another_elements_edge_later_in_a_scan_does_not_spoil_it(share):
    """Manganese in a scan of chromium, up to a larger edge than its own."""
    alone, iron = (all_spectra()[shared(f"measured/{name}.xdi")] for name in ("Cr/cr2o3_rt_001", "Fe/Fe_metal_rt_01"))
    at_manganese = iron.energy_ev - iron.half_step_ev + 6545
    rise = np.interp(alone.energy_ev, at_manganese, iron.flattened, left=0, right=1)
    mu = alone.mu + share * alone.edge_step * rise
    both = Scan(alone.energy_ev, mu, "mu", "both", "Cr", "K", None, None, None, {}, ())
    spectrum = normalise(both)
    assert spectrum.edge_step == pytest.approx(alone.edge_step, rel=5e-3)
    assert spectrum.e0_ev == pytest.approx(alone.e0_ev, abs=0.05)
    end = spectrum.e0_ev + spectrum.parameters["post_edge_range_ev"][1]
    assert end == pytest.approx(6520, abs=3)
    assert "another edge, perhaps Mn K (6539 eV)" in " ".join(spectrum.remarks)
    given = normalise(both, Normalisation(post=(50, 1000)))
    assert given.parameters["post_edge_range_ev"] == [50, 1000]
    assert "end it before that with --post" in " ".join(given.remarks)


def test_points_without_beam_are_left_out(tmp_path):
    path = shared("measured/Fe/Fe2O3_rt_01.xdi")
    alone = all_spectra()[path]
    at = int(np.searchsorted(alone.energy_ev, 7225))
    i0 = 1e5 * np.where(np.isin(np.arange(len(alone.mu)), range(at, at + 4)), 1e-3, 1)
    counts = np.column_stack([alone.energy_ev, i0, i0 * np.exp(-alone.mu) + 30 * (i0 < 1e5)])
    np.savetxt(tmp_path / "a.dat", counts, header="energy i0 itrans")
    (spectrum,) = read_measured(tmp_path / "a.dat")
    assert spectrum.edge_step == pytest.approx(alone.edge_step, rel=3e-3)
    assert "4 points left out, where counts of i0 fall below a tenth of those nearby" in spectrum.remarks
