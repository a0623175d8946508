"""Matching: shift and width are recovered, certainty is a probability, kept spectra are found again."""

import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.special import softmax

from xanesflow.codes.registry import computed
from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.matching.candidates import Narrowing, find_candidates, read_symbols
from xanesflow.matching.choice_model import (
    CALIBRATIONS,
    MEASURED,
    Expected,
    fit_weights,
    measures,
    read_match_calibration,
)
from xanesflow.matching.compute_candidates import compute_missing, make_engine, plan_spectra
from xanesflow.matching.conclusion import conclude
from xanesflow.matching.get_references import Wanted
from xanesflow.matching.likeness import Bounds, Curve, SpectrumCorrection, Target, correct, fit_candidate
from xanesflow.matching.material_spectrum import average_sites, edge_step
from xanesflow.matching.ranking import Reference, Row
from xanesflow.matching.spectrum_store import (
    SHIPPED,
    SpectrumStore,
    StoredSpectrum,
    read_library,
    spectrum_key,
    structure_hash,
    write_library,
)
from xanesflow.matching.surroundings import describe_surroundings, is_carbonate, is_metallic
from xanesflow.spectra import compute_sites

ENERGY = np.arange(7080.0, 7170.0, 0.25)
EDGE = 7120.0


def step(energy, width=1.0):
    return 0.5 + np.arctan((energy - EDGE) / width) / np.pi


def spectrum(energy):
    """A step with a white line and two oscillations."""
    away = energy - EDGE
    lines = 0.7 * np.exp(-((away - 6) ** 2) / 8) + 0.25 * np.exp(-((away - 22) ** 2) / 30)
    return step(energy) + lines


WHOLE = Curve(ENERGY, spectrum(ENERGY), EDGE)


def target(values):
    inside = (ENERGY > EDGE - 14) & (ENERGY < EDGE + 30)
    return Target(ENERGY[inside][::2], values[inside][::2], EDGE)


def gaussian(sigma):
    """The spectrum after brute force convolution on a fine grid."""
    fine = np.arange(ENERGY[0] - 40, ENERGY[-1] + 40, 0.05)
    at = np.interp(fine, ENERGY, spectrum(ENERGY))
    kernel = np.exp(-((np.arange(-400, 401) * 0.05 / sigma) ** 2) / 2)
    padded = np.pad(at, 400, mode="edge")
    return np.interp(ENERGY, fine, np.convolve(padded, kernel / kernel.sum(), mode="valid"))


def stored():
    return StoredSpectrum(ENERGY, 1e-3 * spectrum(ENERGY), 1e-3 * step(ENERGY))


def nickel(folder):
    """A candidate, its engine and an empty store, and the plan of what is to be computed."""
    (candidate,), _ = find_candidates(["ni-fcc"], "Ni")
    engine, store = make_engine("FEFF8L", "Ni"), SpectrumStore("FEFF8L", folder, shipped=folder)
    return candidate, engine, store, plan_spectra([candidate], engine, store)


@pytest.mark.parametrize(("shift", "width"), [(0.0, 0.0), (1.25, 1.5), (-3.5, 2.75)])
def test_shift_and_width_are_recovered(shift, width):
    broad = gaussian(width) if width else spectrum(ENERGY)
    found = fit_candidate(target(np.interp(ENERGY - shift, ENERGY, broad)), WHOLE, Bounds((-5, 3)))
    assert (found.shift_ev, found.width_ev) == (shift, width)
    assert found.rms < 2e-3
    assert found.spearman > 0.999
    assert found.derivative_correlation > 0.998


def test_no_scale_is_free():
    assert fit_candidate(target(1.2 * spectrum(ENERGY)), WHOLE, Bounds((-5, 3))).rms > 0.1


def test_an_expected_shift_is_kept_to_unless_the_fit_says_otherwise():
    flat = Curve(ENERGY, np.full(len(ENERGY), 0.5), EDGE)
    found = fit_candidate(target(spectrum(ENERGY)), flat, Bounds((-5, 3), expected_ev=(-1.0, 1.0)))
    assert found.shift_ev == -1.0  # a flat line fits equally well everywhere


def test_a_short_candidate_is_refused():
    energy = ENERGY[ENERGY < EDGE + 10]
    with pytest.raises(XanesflowError, match="too soon for the measured edge"):
        fit_candidate(target(spectrum(ENERGY)), Curve(energy, spectrum(energy), EDGE), Bounds((-1, 1)))


def test_the_correction_stretches_and_broadens_more_above_the_edge():
    stretched = SpectrumCorrection(stretch=1.1)
    energy, values = correct(WHOLE, 0.0, stretched)
    assert energy[np.argmax(values)] - EDGE == pytest.approx(
        1.1 * (ENERGY[np.argmax(spectrum(ENERGY))] - EDGE), abs=0.1
    )
    rising = SpectrumCorrection(width_at_edge=0.3, width_far=2.0, rise_ev=10.0)
    energy, values = correct(WHOLE, 2.0, rising)
    far = np.abs(energy - EDGE - 22) < 1  # 2.0 × 2 eV there, far enough from the edge for a plain Gaussian
    assert values[far] == pytest.approx(np.interp(energy, ENERGY, gaussian(4.0))[far], abs=0.02)


def test_weights_are_those_that_made_the_choices():
    rng = np.random.default_rng(1)
    truth = np.array([3.0, 0.5, 0.0])
    cases = []
    for _ in range(600):
        rows = rng.normal(size=(8, 3))
        cases.append((rows, int(rng.choice(8, p=softmax(-rows @ truth))), 1.0))
    assert fit_weights(cases) == pytest.approx(truth, abs=0.3)


def test_measures_are_smaller_for_the_better_candidate():
    good, bad = (
        fit_candidate(target(spectrum(ENERGY)), curve, Bounds((-2, 2)))
        for curve in (WHOLE, Curve(ENERGY, step(ENERGY), EDGE))
    )
    expected = Expected(0.0, 1.0, 0.0)
    assert all(a <= b for a, b in zip(measures(good, expected), measures(bad, expected), strict=True))


def test_repeats_of_one_sample_are_one_answer():
    def row(name, certainty, sample="Mn2O3", scan=("hash", "")):
        return Row(1, Reference(name, sample, "", WHOLE, scan=scan), None, certainty)

    repeats = [row("Mn2O3_rt_02", 0.52), row("Mn2O3_rt_03", 0.47)]
    others = [row("MnO", 0.01, "MnO")]
    said = "Mn2O3, but not which of its 2 scans: Mn2O3_rt_02 and Mn2O3_rt_03."
    assert conclude([*repeats, *others], "Mn") == said
    said = conclude([row("a", 0.3), row("b", 0.3), row("c", 0.4, "MnO2")], "Mn")
    assert said == "No clear answer; the likely candidates are a, b and MnO2."


def test_the_shipped_calibrations_expect_what_was_seen():
    known = read_match_calibration("FEFF8L")
    metal = known.expects("Fe", metal=True, oxidation_state=0.0)
    two, three = (known.expects("Fe", metal=False, oxidation_state=state) for state in (2.0, 3.0))
    assert metal.mean_ev < two.mean_ev < three.mean_ev  # computed edges move too little with the oxidation state
    assert known.expects("Zn", metal=False, oxidation_state=None).sd_ev > three.sd_ev
    assert known.computed and not read_match_calibration(MEASURED).computed
    assert read_match_calibration(MEASURED).expects("Fe", metal=False, oxidation_state=2.0).mean_ev == 0.0
    with pytest.raises(XanesflowError, match="never checked on known standards"):
        read_match_calibration("VASP")


def test_a_background_becomes_a_step_of_one():
    energy = np.arange(7100.0, 7160.0, 0.1)
    background = 2.5e-3 * step(energy, 0.8) * (1 - 2e-3 * (energy - EDGE))
    values = background / edge_step(energy, background)(energy)
    assert values[energy > EDGE + 15] == pytest.approx(1.0, abs=0.02)
    assert values[energy < EDGE - 15] == pytest.approx(0.0, abs=0.03)


def test_sites_count_as_often_as_their_atoms():
    one = stored()
    other = StoredSpectrum(ENERGY + 1, 3e-3 * spectrum(ENERGY), 3e-3 * step(ENERGY))
    mean = average_sites([one, other], [3, 1])
    at = int(np.argmin(np.abs(mean.energy_ev - 7140)))
    assert mean.cross_section[at] == pytest.approx(
        0.75e-3 * spectrum(7140.0) + 0.25 * 3e-3 * spectrum(7139.0), rel=1e-3
    )
    with pytest.raises(XanesflowError, match="it crashed"):
        average_sites([one, StoredSpectrum.failed("it crashed")], [1, 1])


def test_kept_spectra_are_found_again_and_damage_is_survived(tmp_path):
    store = SpectrumStore("FEFF8L", tmp_path, shipped=tmp_path / "none")
    kept = stored()
    store.put("a" * 32, kept)
    store.put("b" * 32, StoredSpectrum.failed("no potentials"))
    assert store.get("a" * 32).cross_section == pytest.approx(kept.cross_section, rel=1e-6)
    assert store.get("b" * 32).failure == "no potentials"
    assert store.get("c" * 32) is None
    file = next((tmp_path / "FEFF8L" / "aa").iterdir())
    file.write_bytes(file.read_bytes()[:200])
    assert store.get("a" * 32) is None
    assert SpectrumStore("FEFFQ", tmp_path, shipped=tmp_path / "none").get("b" * 32) is None


def test_a_library_holds_spectra_to_half_precision(tmp_path):
    spectra = {"k1": stored()}
    write_library(tmp_path / "FEFF8L.npz", spectra, step_ev=0.25)
    read = read_library(tmp_path / "FEFF8L.npz")["k1"]
    assert read.cross_section == pytest.approx(spectra["k1"].cross_section, abs=1e-6)
    assert SpectrumStore("FEFF8L", tmp_path / "empty", shipped=tmp_path).get("k1").failure == ""


def test_the_name_of_a_spectrum_depends_on_structure_site_and_settings_only():
    (candidate,), _ = find_candidates(["nio-rocksalt"], "Ni")
    text = candidate.material.structure
    moved = json.loads(text)
    moved["sites"][0]["abc"] = [value + 1e-7 for value in moved["sites"][0]["abc"]]
    assert structure_hash(json.dumps(moved)) == structure_hash(text)
    moved["sites"][0]["abc"] = [value + 1e-2 for value in moved["sites"][0]["abc"]]
    assert structure_hash(json.dumps(moved)) != structure_hash(text)
    settings = {"fms_radius": 5.5, "code": "engine 3", "programs": "of Linux"}
    key = spectrum_key("s", 0, settings)
    assert key == spectrum_key("s", 0, {**settings, "programs": "of macOS"})
    others = [("t", 0, settings), ("s", 1, settings), ("s", 0, {**settings, "code": "engine 4"})]
    assert all(spectrum_key(*other) != key for other in others)


def test_a_missing_spectrum_is_computed_once_and_is_the_shipped_one(tmp_path):
    candidate, engine, store, plan = nickel(tmp_path)
    assert len(plan.missing) == 1
    assert plan.minutes(1) == pytest.approx(5.4 / 60)
    (computed,) = compute_missing(plan, engine, store, workers=1).values()
    assert not plan_spectra([candidate], engine, store).missing
    shipped = SpectrumStore("FEFF8L", tmp_path / "empty").get(plan.sites[0].key)
    again = np.interp(shipped.energy_ev, computed.energy_ev, computed.cross_section)
    assert again == pytest.approx(shipped.cross_section, abs=1e-3 * computed.cross_section.max())


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (FailedRunError("killed", "it was ended by signal 9"), "ended by signal 9"),
        (FailedRunError("engine_failed", "the disk is full"), "the disk is full"),
        (ZeroDivisionError("nothing"), "a fault of xanesflow, please report it: ZeroDivisionError nothing"),
    ],
)
def test_what_may_work_another_time_is_not_kept(tmp_path, monkeypatch, error, failure):
    candidate, engine, store, plan = nickel(tmp_path)

    def fail(*_):
        raise error

    monkeypatch.setattr(compute_sites, "compute_site", fail)
    (found,) = compute_missing(plan, engine, store, workers=1).values()
    assert failure in found.failure
    assert len(plan_spectra([candidate], engine, store).missing) == 1


def test_a_killed_run_is_called_so(tmp_path, monkeypatch):
    _, engine, store, plan = nickel(tmp_path)
    monkeypatch.setattr(type(engine), "command", lambda *_: ["sh", "-c", "kill -9 $$"])
    (found,) = compute_missing(plan, engine, store, workers=1).values()
    assert "ended by signal 9; the machine may have run out of memory" in found.failure


@pytest.mark.parametrize("theory", computed())
def test_each_theory_that_is_computed_has_an_engine_with_its_default_options(theory):
    assert make_engine(theory, "Fe").theory == theory


def test_candidates_are_computed_with_the_embedded_engine_unless_another_theory_is_named():
    assert Wanted(("examples",)).theory == "FEFF8L" and (CALIBRATIONS / "FEFF8L.json").is_file()
    with pytest.raises(XanesflowError, match="no level of theory FDMNES to compute with; use FEFF"):
        make_engine("FDMNES", "Fe")


def test_the_shipped_library_has_all_examples():
    engine = make_engine("FEFF8L", "Cu")
    store = SpectrumStore("FEFF8L", SHIPPED / "no such folder")
    assert (SHIPPED / "FEFF8L.npz").stat().st_size < 10e6
    for element in ("Ti", "Mn", "Cu"):  # each element costs a second
        candidates, _ = find_candidates(["examples"], element)
        assert not plan_spectra(candidates, engine, store).missing, element


def test_candidates_are_found_narrowed_and_described():
    candidates, refused = find_candidates(["examples"], "Fe")
    by_id = {each.id: each for each in candidates}
    assert len(by_id) >= 20
    assert not refused
    magnetite = by_id["fe3o4-magnetite"]
    assert sorted(number for _, number in magnetite.sites) == [2, 4]
    around = describe_surroundings(magnetite)
    assert around.oxidation_state == pytest.approx(8 / 3, abs=1e-3)
    assert around.coordination == pytest.approx((4 + 2 * 6) / 3, abs=1e-3)
    assert is_metallic(by_id["fe-bcc"].structure())
    assert is_carbonate(by_id["feco3-calcite"].structure())
    assert not is_carbonate(magnetite.structure())
    narrow, _ = find_candidates(["examples"], "Fe", Narrowing(read_symbols("Ti, O"), 10))
    assert read_symbols("ti O") == read_symbols("Ti,O")
    assert [each.id for each in narrow] == ["fetio3-ilmenite"]
    with pytest.raises(XanesflowError, match="examples holds no structure of Fe with Xe"):
        find_candidates(["examples"], "Fe", Narrowing(frozenset({"Xe"})))


def test_of_two_structures_with_one_id_the_first_is_a_candidate_and_the_other_is_named(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.5), ["Fe", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(
        str(folder / "feo-rocksalt.cif"), fmt="cif"
    )
    candidates, refused = find_candidates(["examples", str(folder)], "Fe")
    shipped = next(each for each in candidates if each.id == "feo-rocksalt")
    assert shipped.structure().lattice.a < 4.4
    assert [sentence for sentence in refused if "feo-rocksalt" in sentence and "rename" in sentence]
    again, refused = find_candidates(["examples", "feo-rocksalt"], "Fe")
    assert not refused and len(again) == len(candidates)


def test_a_limit_that_leaves_nothing_is_named_rather_than_what_cannot_be_read(tmp_path):
    (tmp_path / "torn.cif").write_text("data_x\n_cell_length_a 4")
    given = [str(tmp_path / "torn.cif"), "fe2o3-hematite"]
    with pytest.raises(XanesflowError, match="no structure of Fe of at most 1 atom; name others"):
        find_candidates(given, "Fe", Narrowing(max_atoms=1))
    with pytest.raises(XanesflowError, match=r"None of the structures of .* can be used"):
        find_candidates(given[:1], "Fe", Narrowing(max_atoms=1))


def test_minerals_are_the_newest_ordered_entry_of_each_kind():
    candidates, refused = find_candidates(["minerals"], "Co", Narrowing(frozenset({"As"})))
    assert {"Alloclasite", "Skutterudite"} <= {each.name for each in candidates}
    kinds = [(each.name, each.formula) for each in candidates]
    assert len(kinds) == len(set(kinds))
    assert all(sentence.endswith(".") for sentence in refused)
