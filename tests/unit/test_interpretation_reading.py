"""Interpreters on made-up sites with known answers: what is read, how wide the bars are, what is refused."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from interpretation_data import START_EV, made_up_sites
from published_runs import files_of_archive
from safetensors.numpy import load_file
from scipy.stats import norm
from sklearn.gaussian_process.kernels import Matern

from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.codes.feff8l import XanesResult
from xanesflow.codes.feff8l.xanes import write_result
from xanesflow.core.energy_grid import onto_grid
from xanesflow.core.errors import XanesflowError
from xanesflow.core.units import BOHR_ANGSTROM
from xanesflow.interpretation import fit_reader, kernel, readers, training_data
from xanesflow.interpretation.bars import Bars
from xanesflow.interpretation.computed_file import read_computed
from xanesflow.interpretation.domain import LEVEL, foreign_spectra
from xanesflow.interpretation.figures_of_merit import f1_of, scores_of
from xanesflow.interpretation.forest import Forest
from xanesflow.interpretation.interpret_spectra import interpret, interpret_files
from xanesflow.interpretation.interpreter import Interpreter, load_interpreter
from xanesflow.interpretation.kernel import KernelFit
from xanesflow.interpretation.read_test_part import measure_robustness, predict_test
from xanesflow.interpretation.site_descriptors import DESCRIPTORS
from xanesflow.interpretation.targets import Targets
from xanesflow.interpretation.training_data import _report, random_split
from xanesflow.interpretation.views import (
    BEFORE_EV,
    MEASURED,
    aligned_energies,
    distort,
    distorted,
    half_step,
    see,
    see_measured,
)


@pytest.fixture(scope="module")
def data():
    return made_up_sites()


@pytest.fixture(scope="module")
def interpreter(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(readers.TREES, "trees", 20)
        return Interpreter.fit("trees", data, split="campaign", seed=0, made={})


def test_a_forest_is_that_of_scikit_learn_and_leaves_ignore_what_is_not_known():
    from sklearn.ensemble import ExtraTreesRegressor

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 8)), rng.normal(size=(200, 2))
    ours = Forest.fit(x, y, trees=7, min_leaf=3, max_features=0.5, seed=4)
    theirs = ExtraTreesRegressor(7, min_samples_leaf=3, max_features=0.5, random_state=4).fit(x.astype(np.float32), y)
    new = rng.normal(size=(300, 8))
    by_tree = np.array([tree.predict(new.astype(np.float32)) for tree in theirs.estimators_])
    mean, spread = ours.predict(new)
    assert mean == pytest.approx(by_tree.mean(axis=0), abs=2e-3) and spread == pytest.approx(
        by_tree.std(axis=0), abs=2e-3
    )
    # Half of a column is unknown, and the known half is always 1.
    y[:, 1] = np.where(np.arange(200) % 2, 1.0, np.nan)
    assert Forest.fit(x, y, trees=7, min_leaf=3, max_features=0.5, seed=4).predict(new)[0][:, 1] == pytest.approx(1)


def test_views_do_not_depend_on_what_they_must_not_depend_on(data):
    spectra = data.spectra[:20]
    seen = see(spectra, "aligned")
    assert seen.shape == (20, len(aligned_energies())) and see(spectra, "grid").shape == (20, 125)
    assert see(7.0 * spectra, "aligned") == pytest.approx(seen)
    shifted = see(distorted(spectra, np.full(20, 1.5), np.zeros(20)), "aligned")
    assert np.median(np.abs(shifted - seen)) < 0.005  # a shift moves the plateau's range, and with it half of the step
    # A step broadened by a Gaussian is an error function of its width.
    step = np.where(np.arange(141) < 70, 0.0, 1.0)[None]
    broad = distorted(step, np.zeros(1), np.full(1, 4.0))[0]
    expected = norm.cdf((np.arange(141) - 69.5) * 0.25, scale=4.0 / 2.3548)
    assert np.abs(broad - expected).max() < 0.01


def test_a_long_spectrum_has_its_edge_where_the_short_one_has_it(data):
    energy, spectrum = 0.25 * np.arange(141), data.spectra[0] / data.spectra[0, -60:].mean()
    longer = np.arange(0.0, 235.0, 0.25)
    long = np.interp(longer, energy, spectrum)
    assert half_step(longer, long) == pytest.approx(half_step(energy, spectrum), abs=1e-9)
    assert 7 < half_step(longer, long) < 13


def test_what_the_spectra_say_is_read_and_bars_hold(interpreter, data):
    read = predict_test(interpreter, data)
    cn = read[(read["model"] == "trees_exact") & (read["descriptor"] == "cn")]
    assert (cn["class_value"] == cn["truth"]).mean() > 0.9
    assert set(read["descriptor"]) == {
        "oxidation_state", "cn", "oxygens", "nn_mean", "nn_std", "min_nn_nn", "charge_transfer"
    }  # fmt: skip
    fresh = made_up_sites(330, seed=5, parts=np.array(["test"]))
    of_fresh = predict_test(interpreter, fresh).query("model == 'trees' and descriptor == 'nn_mean'")
    held = scores_of(*(of_fresh[each].to_numpy() for each in ("truth", "value", "low_90", "high_90")))
    assert 0.8 <= held["coverage_90"] <= 1.0 and held["spearman"] > 0.8
    robust = measure_robustness(interpreter, data)
    aligned = robust.query("model == 'trees_aligned' and descriptor == 'cn' and fwhm_ev == 0").set_index("shift_ev")[
        "r2"
    ]
    assert aligned[1.0] == pytest.approx(aligned[0.0], abs=0.1)  # no absolute energies, so no shift matters


def test_nothing_is_lost_in_the_file_and_the_same_seed_gives_the_same_model(interpreter, data, tmp_path, monkeypatch):
    interpreter.save(tmp_path / "a.safetensors")
    again = load_interpreter(tmp_path / "a.safetensors")
    seen = see(data.spectra[:9], "aligned")
    one, other = (each.readers["aligned"].values(seen, each.targets) for each in (interpreter, again))
    assert np.array_equal(one.values, other.values) and np.array_equal(one.low, other.low)
    assert np.array_equal(one.probabilities["cn"], other.probabilities["cn"])
    assert np.array_equal(interpreter.domain.p_values(seen), again.domain.p_values(seen))
    assert again.card == interpreter.card and again.card.not_known[-1] == "charge_transfer of 22 of 220 sites"
    monkeypatch.setitem(readers.TREES, "trees", 20)
    repeated = Interpreter.fit("trees", data, split="campaign", seed=0, made={})
    repeated.save(tmp_path / "b.safetensors")
    arrays = [load_file(tmp_path / name) for name in ("a.safetensors", "b.safetensors")]
    assert arrays[0].keys() == arrays[1].keys()
    assert all(np.array_equal(arrays[0][name], arrays[1][name], equal_nan=True) for name in arrays[0])
    (tmp_path / "a.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(XanesflowError, match="no interpreter, or it is damaged"):
        load_interpreter(tmp_path / "a.safetensors")


def test_foreign_spectra_are_told_apart_and_simulated_ones_seldom_called_foreign(interpreter):
    fresh = made_up_sites(300, seed=9, parts=np.array(["test"])).spectra
    rng = np.random.default_rng(3)
    own = interpreter.domain.p_values(see(distort(fresh, MEASURED, rng), "aligned"))
    foreign = interpreter.domain.p_values(see(foreign_spectra(fresh, rng), "aligned"))
    assert (own < LEVEL).mean() < 0.12 and (foreign < LEVEL).mean() > 0.7


def test_a_network_reads_too_and_unknown_descriptors_have_no_weight(data, monkeypatch):
    monkeypatch.setattr(readers, "_LEAST_STEPS", 200)
    targets = Targets.of(data.values[data.rows("train")])
    inputs, rows = see(data.spectra, "whole"), data.rows("train")
    reader = readers.NetworkReader.fit(inputs[rows], targets.encode(data.values[rows]), targets, seed=0)
    found, spread = reader.predict(inputs[data.rows("test")])
    truth = targets.encode(data.values[data.rows("test")])
    at = targets.names.index("cn")
    assert np.corrcoef(found[:, at], truth[:, at])[0, 1] > 0.95 and np.isfinite(found).all() and (spread >= 0).all()
    block = targets.blocks()["cn"]
    assert found[:, block].sum(axis=1) == pytest.approx(1)
    again = readers.reader_from_arrays("network", reader.arrays(), targets)
    assert np.array_equal(again.predict(inputs)[0], reader.predict(inputs)[0])


def test_one_class_only_gets_no_probabilities_and_few_sites_no_interpreter(interpreter, data):
    assert "oxidation_state" in interpreter.targets.names and list(interpreter.targets.classes) == ["cn"]
    few = made_up_sites(20)
    with pytest.raises(XanesflowError, match=r"Cu_FEFF has 14 training sites and 4 validation sites.*needs 30 and 8"):
        _report(few)
    unknown = made_up_sites(60)
    unknown.values[:] = np.nan
    with pytest.raises(XanesflowError, match="no descriptor is known of 20 training sites"):
        Interpreter.fit("trees", unknown, split="campaign", seed=0, made={})


def test_a_short_spectrum_is_refused_and_a_wide_bar_says_no_more_than_the_prior(interpreter, data):
    energy = 8979 + 0.25 * np.arange(141)
    with pytest.raises(XanesflowError, match=r"a.xdi runs from -10.0 to \+12.5 eV about half.*read from -6 to \+18 eV"):
        see_measured(energy[:91], data.spectra[0][:91], 8989.0, "a.xdi")
    found = interpret(see(data.spectra[:1], "aligned"), interpreter, "a.xdi")
    assert found.nearest[0][0] == "mp-0_000" and found.nearest[0][2] == pytest.approx(0, abs=1e-6)
    by_name = {each.descriptor: each for each in found.values}
    assert not by_name["cn"].no_more_than_prior and by_name["oxidation_state"].no_more_than_prior


HEADER = "# energy_eV in eV, absolute; cross sections in bohr^2"  # of `xanesflow xanes`


def written(path, energy, mu, about="made up"):
    """A table of `xanesflow xanes`."""
    rows = "\n".join(f"{e:.4f},{m:.9e}" for e, m in zip(energy, mu, strict=True))
    path.write_text(f"{HEADER}\n# {about}\nenergy_eV,Cu_000 (x4)\n{rows}\n", encoding="utf-8")
    return path


def test_a_computed_file_is_seen_as_the_spectra_were_that_the_interpreter_learned_from(interpreter, data, tmp_path):
    """What a file has beyond the grid, and how it is continued before its first point, changes nothing."""
    energy, mu = START_EV + 0.25 * np.arange(141), data.spectra[0]
    late = np.arange(energy[-1] + 0.25, energy[-1] + 20, 0.25)
    after = mu[-1] * (1 - 0.4 * np.minimum((late - energy[-1]) / 8, 1))
    long = np.concatenate([energy, late]), np.concatenate([mu, after])
    expected = interpret(see(mu[None], "aligned"), interpreter, "")
    (found,) = interpret_files([written(tmp_path / "long.csv", *long)], interpreter)
    assert found.nearest[0][0] == "mp-0_000" and found.nearest[0][2] < 0.003
    assert found.p_value == pytest.approx(expected.p_value, abs=0.02)
    half = 24  # the first point, 2 to 6 eV before half the step
    (found,) = interpret_files([written(tmp_path / "late.csv", *(each[half:] for each in long))], interpreter)
    level = np.concatenate([np.full(half, mu[half]), mu[half:]])
    assert found.p_value == pytest.approx(interpret(see(level[None], "aligned"), interpreter, "").p_value, abs=0.02)
    with pytest.raises(XanesflowError, match=r"short.csv does not cover .*: the last computed energy is 9010.25 eV"):
        interpret_files([written(tmp_path / "short.csv", energy[:110], mu[:110])], interpreter)
    with pytest.raises(XanesflowError, match=r"moved.csv has energies that were moved to experiment.*without --align"):
        about = "energy_eV in eV, absolute, energies moved by -3.31 ± 1.2 eV to experiment (docs/studies/energies.md)"
        interpret_files([written(tmp_path / "moved.csv", *long, about)], interpreter)


def test_a_published_run_is_read_although_it_begins_less_than_6_ev_before_half_its_step(interpreter, tmp_path):
    """Its view is that of training, in which such spectra are continued level."""
    wanted = ("mp-1008807", "FEFF-XANES/001_Cu/xmu.dat")
    content = next(content for *path, content in files_of_archive() if tuple(path) == wanted)
    path = tmp_path / "xmu.dat"
    path.write_bytes(content)
    xmu = parse_xmu(content)
    on_grid = onto_grid(xmu.energy_ev, xmu.cross_section, start_ev=START_EV, max_flat_start_ev=10.0)
    energy = START_EV + 0.25 * np.arange(141)
    assert xmu.energy_ev[0] > half_step(energy, on_grid / on_grid[-60:].mean()) - BEFORE_EV
    expected = interpret(see(on_grid[None], "aligned"), interpreter, "xmu.dat")
    assert interpret_files([path], interpreter) == [expected]


def test_figures_of_merit_by_hand():
    truth, value = np.array([1.0, 2.0, 3.0, 4.0, np.nan]), np.array([1.5, 2.5, 2.5, 4.5, 9.0])
    found = scores_of(truth, value, value - 0.5, value + 0.4)
    assert found == {
        "n_test": 4, "mae": 0.5, "r2": pytest.approx(1 - 0.25 / 1.25),
        "spearman": pytest.approx(0.9486832980505138), "coverage_90": 0.75,
    }  # fmt: skip
    # CN 4: precision 1/2, recall 1; CN 5: 1, 1/2; CN 6: 1, 1; the site of CN 8 does not count.
    f1 = f1_of(np.array([4.0, 5, 5, 6, 8]), np.array([4.0, 4, 5, 6, 6]))
    assert f1 == pytest.approx((2 / 3 + 2 * 2 / 3 + 1) / 4)
    assert np.isnan(f1_of(np.array([8.0]), np.array([8.0])))


def test_bars_are_as_wide_as_the_prior_where_validation_sites_are_too_few():
    targets = Targets.of(made_up_sites().values)
    n = len(targets.names) + 3
    wanted = np.full((4, n), np.nan)
    bars = Bars.fit(np.zeros((4, n)), np.zeros((4, n)), wanted, targets, sites=4)
    low, high = bars.around(np.zeros((1, n)), np.zeros((1, n)), targets)
    assert np.array_equal(low[0], targets.low) and np.array_equal(high[0], targets.high)


def test_a_random_split_keeps_materials_whole_and_its_shares():
    materials = [f"mp-{k // 3}" for k in range(600)]
    part = random_split(materials, seed=1)
    of = {material: {part[k] for k in range(600) if materials[k] == material} for material in set(materials)}
    assert all(len(parts) == 1 for parts in of.values())
    assert [(part == name).sum() for name in ("train", "val", "test")] == [420, 90, 90]
    assert not np.array_equal(part, random_split(materials, seed=2))


def test_a_numbered_split_of_all_subsets_has_each_material_in_one_part(monkeypatch):
    """Two subsets share thirty materials, each of which is in only one part."""

    class Subset(SimpleNamespace):
        def __len__(self):
            return len(self.material_id)

    def subset(element, numbers):
        names = np.array([f"mp-{n}" for n in numbers])
        n = len(names)
        return Subset(
            element=element, material_id=names, site_index=np.zeros(n, int), spectra=np.ones((n, 141)),
            energy=np.arange(141.0), split=np.full(n, "train"),
        )  # fmt: skip

    class Dataset(dict):
        subsets = property(tuple)

    data = Dataset(Co_FEFF=subset("Co", range(60)), Cu_FEFF=subset("Cu", range(30, 90)))
    rows = [(name, material, 0) for name, each in data.items() for material in each.material_id]
    table = pd.DataFrame(rows, columns=["subset", "material_id", "site_index"]).assign(formula="X")
    table[list(DESCRIPTORS)] = 1.0
    monkeypatch.setattr(training_data, "load", lambda path: nullcontext(data))
    monkeypatch.setattr(training_data, "read_descriptions", lambda path: table)
    found = training_data.read_training_data(Path("d.h5"), Path("s.parquet"), "all", "0")
    parts = pd.Series(found.part).groupby(found.ids).nunique()
    assert len(parts) == 90 and (parts == 1).all()
    assert set(found.part) == {"train", "val", "test"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", ["", "8970,1\n", "8970,1\n8969,1\n"])
def test_a_computed_table_without_rising_energies_is_refused_in_a_sentence(tmp_path, rows):
    path = tmp_path / "table.csv"
    path.write_text(f"{HEADER}\nenergy_eV,sigma\n{rows}", encoding="utf-8")
    with pytest.raises(XanesflowError, match=r"table\.csv needs rising energies and 2 numbers in each row"):
        read_computed(path)


def test_computed_files_are_recognised_and_one_site_is_read_once(tmp_path):
    """Tables of one site and of two, a normalised table, and xmu.dat of FEFF and of the embedded engine."""
    energy, mu = 8970 + 0.5 * np.arange(120), np.linspace(1e-4, 8e-4, 120)

    def table(name, columns, *values, header=HEADER):
        rows = "\n".join(",".join(f"{each:.9g}" for each in row) for row in zip(energy, *values, strict=True))
        (tmp_path / name).write_text(f"{header}\n{columns}\n{rows}\n", encoding="utf-8")
        return read_computed(tmp_path / name)

    one = table("one.csv", "energy_eV,Cu_000 (x4),average", mu, mu)
    two = table("two.csv", "energy_eV,Cu_000 (x4),Cu_001 (x2),average", mu, 2 * mu, 1.5 * mu)
    normalised = table("n.csv", "energy_ev,cross_section,background,normalised,broadened", mu, 1 + mu, mu / 2, mu / 3)
    assert [each.source for each in one] == ["one.csv"] and [each.source for each in normalised] == ["n.csv"]
    assert [each.source for each in two] == ["two.csv: Cu_000 (x4)", "two.csv: Cu_001 (x2)", "two.csv: average"]
    for found in (*one, *normalised, two[0]):
        assert found.energy_ev == pytest.approx(energy) and found.cross_section == pytest.approx(mu)
    # What `xanesflow measured` writes is a measured spectrum, and so are others with energies in eV.
    assert table("m.csv", "energy_ev,mu,normalised,flattened", mu, mu, mu) is None
    assert table("m.csv", "energy_eV,i0,it", mu, mu, header="# beamline") is None

    cluster = SimpleNamespace(potentials=[SimpleNamespace(atomic_number=29)])
    record = {"rung": "SCF", "fermi_ev": 8980.0, "edge_ev": 8982.0}
    write_result(tmp_path, XanesResult(energy, mu, 0.9 * mu, record), cluster)
    (engine,) = read_computed(tmp_path / "xmu.dat")
    assert engine.energy_ev == pytest.approx(energy) and engine.cross_section == pytest.approx(mu)
    rows = "\n".join(f"{e} 0 0 {m} {m} 0.1" for e, m in zip(energy, mu, strict=True))
    (tmp_path / "xmu.dat").write_text(f"# xsedge+  50, used to normalize mu 2.0\n{rows}\n", encoding="utf-8")
    (feff,) = read_computed(tmp_path / "xmu.dat")
    assert feff.cross_section == pytest.approx(mu * 2.0 / BOHR_ANGSTROM**2)
    (tmp_path / "xmu.dat").write_text("# absorber Z=29 K\n8970.0 1e-4", encoding="utf-8")
    with pytest.raises(XanesflowError, match=r"xmu\.dat cannot be read: .*; give the whole file"):
        read_computed(tmp_path / "xmu.dat")


def test_a_kernel_regression_is_that_of_scikit_learn():
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.metrics.pairwise import euclidean_distances

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, 5)), rng.normal(size=(150, 2))
    new = rng.normal(size=(40, 5))
    ours = KernelFit.fit(x, y, noise=0.1, seed=1)
    some = np.random.default_rng(1).permutation(150)
    length = np.median(euclidean_distances(x[some])[np.triu_indices(150, 1)])
    matern = Matern(length_scale=length, nu=1.5)
    theirs = KernelRidge(kernel="precomputed", alpha=0.1).fit(matern(x), y - y.mean(axis=0))
    expected = theirs.predict(matern(new, x)) + y.mean(axis=0)
    assert ours.predict(new) == pytest.approx(expected, abs=1e-3)
    y[::3, 1] = np.nan  # counts as the mean of the others
    filled = np.where(np.isnan(y), np.nanmean(y, axis=0), y)
    unknown, known = (KernelFit.fit(x, each, noise=0.1, seed=1).predict(new) for each in (y, filled))
    assert unknown == pytest.approx(known)


def test_few_landmarks_give_the_least_squares_that_they_span(monkeypatch):
    monkeypatch.setattr(kernel, "LANDMARKS", 30)
    rng = np.random.default_rng(0)
    x, new = rng.uniform(-1, 1, size=(2_500, 2)), rng.uniform(-1, 1, size=(50, 2))
    y = np.sin(2 * x[:, :1]) + x[:, 1:] ** 2 + 0.1 * rng.normal(size=(2_500, 1))
    found = KernelFit.fit(x, y, noise=0.02, seed=0)
    assert len(found.landmarks) == 30 and set(map(tuple, found.landmarks)) <= set(map(tuple, x.astype(np.float32)))
    matern = Matern(length_scale=float(found.length), nu=1.5)
    # |K c - y|² + noise n/m c' K' c, with the second term as further rows of a plain least-squares problem.
    factor = np.linalg.cholesky(matern(found.landmarks))
    rows = np.concatenate([matern(x, found.landmarks), np.sqrt(0.02 * 2_500 / 30) * factor.T])
    coefficients = np.linalg.lstsq(rows, np.concatenate([y - y.mean(), np.zeros((30, 1))]), rcond=None)[0]
    assert found.predict(new) == pytest.approx(y.mean() + matern(new, found.landmarks) @ coefficients, abs=1e-3)


def test_a_blend_is_the_mean_of_its_parts_and_comes_back_from_its_arrays(data, monkeypatch):
    monkeypatch.setitem(readers.TREES, "trees", 5)
    monkeypatch.setattr(readers, "_LEAST_STEPS", 20)
    monkeypatch.setattr(readers, "_EPOCHS", 1)
    targets = Targets.of(data.values)
    inputs, outputs = see(data.spectra, "whole"), targets.encode(data.values)
    blend = readers.train_reader("blend", inputs, outputs, targets, 3)
    found, spread = blend.predict(inputs[:9])
    parts = [
        readers.train_reader(kind, inputs, outputs, targets, 3).predict(inputs[:9])[0] for kind in ("trees", "network")
    ]
    parts.append(KernelFit.fit(inputs, outputs, noise=readers.KERNEL_NOISE, seed=3).predict(inputs[:9]))
    assert len(parts) == 3 and found == pytest.approx(np.mean(parts, axis=0))
    assert (spread >= np.std(parts, axis=0) - 1e-9).all()
    again = readers.reader_from_arrays("blend", blend.arrays(), targets)
    assert np.array_equal(again.predict(inputs[:9])[0], found)
    # The network and the kernel may learn from the first rows alone, and there may be more trees.
    some = readers.train_reader("blend", inputs, outputs, targets, 3, trees=7, smooth_rows=60)
    few = KernelFit.fit(inputs[:60], outputs[:60], noise=readers.KERNEL_NOISE, seed=3)
    assert np.array_equal(some.kernel.predict(inputs), few.predict(inputs)) and len(some.trees.roots) == 7
    assert np.array_equal(some.trees.feature[: len(blend.trees.feature)], blend.trees.feature)


def test_each_view_of_a_blend_gets_its_copies_and_trees(data, monkeypatch):
    asked = {}

    def instead(kind, inputs, outputs, targets, seed, *, trees, smooth_rows):
        asked[len(asked)] = (len(inputs), trees, smooth_rows)
        return Forest.fit(inputs, outputs, seed=seed, trees=2, min_leaf=3, max_features=0.3)

    monkeypatch.setattr(fit_reader, "train_reader", instead)
    n, targets = len(data.rows("train")), Targets.of(data.values)
    for view in ("whole", "grid"):
        fit_reader.fit_reader("blend", view, data, targets, 0)
    assert asked == {0: (n, 200, 6 * n), 1: (11 * n, None, 6 * n)}
