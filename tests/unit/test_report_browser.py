"""The report in a real browser: from a file, without network, by mouse and by keyboard, light and dark."""

import h5py
import numpy as np
import pandas as pd
import pytest
from dataset_files import spectra_of, structures_of, write_dataset
from subset_groups import write_subset

from xanesflow.dataset.read_dataset import load
from xanesflow.evaluation.metrics import spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions, Uncertainty, write_predictions
from xanesflow.interpretation.describe_sites import COLUMNS, describe_sites
from xanesflow.report.explorer.explorer import ExplorerFiles
from xanesflow.report.explorer.feature_map import NEIGHBOURS, map_features
from xanesflow.report.page import make_report

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
EVIL = "<img src=x onerror=window.harm=1><script>window.harm=2<script>"
PARTS = ["train"] * 5 + ["val"] * 2 + ["test"] * 6


def predictions_of(path, subset, model, *, bars, noise=2e-5):
    """Predictions of a dataset's test part: the simulated spectra and a bit of noise, the same in every call."""
    with load(path) as data:
        part = data[subset].part("test")
        ids, energy, spectra = part.ids, part.energy, part.spectra[:]
        mean = data[subset].part("train").spectra[:].mean(axis=0)
    rng = np.random.default_rng(len(model))
    n = len(ids)
    predicted = spectra + noise * rng.uniform(0.2, 2, (n, 1)) * np.sin(np.arange(141) / 9 + rng.uniform(0, 6, (n, 1)))
    sigma = np.full((n, 141), noise)
    bands = [np.stack([predicted - k * sigma, predicted + k * sigma]) for k in (1, 2)]
    error = np.full(n, noise)
    uncertainty = Uncertainty("val", 50, 40, error, sigma, *bands, np.full((n, 141), 0.5), error, 2 * error)
    return Predictions(
        model, "m3gnet", subset, "test", 9, [0], ids, energy, spectra, predicted, predicted[None], mean,
        uncertainty if bars else None, "" if bars else "6 spectra are too few.",
    )  # fmt: skip


def write_report(folder, dataset, predictions, chemistry, feature_map):
    """The whole page around an explorer, from as few other files as it takes."""
    (folder / "f.svg").write_text(SVG)
    (folder / "u.csv").write_text("material_id,site_index,lacks\n")
    paths = []
    for number, each in enumerate(predictions):
        paths.append(folder / f"p{number}.h5")
        write_predictions(paths[-1], each, {})
    row = {"model": "expert", "features": "m3gnet", "theory": "FEFF", "n_train": 5, "n_test": 6, "part": "test"}
    row |= {"xi": 1e-9, "xi_baseline": 5e-9, "eta": 5.0, "w_e": 0.9, "w_s": 0.7, "mse_mean": 1e-9, "seed": 0}
    subsets = {each.subset for each in predictions}
    pd.DataFrame([row | {"element": name.split("_")[0]} for name in sorted(subsets)]).to_csv(folder / "m.csv")
    files = ExplorerFiles(dataset, paths, chemistry, {"m3gnet": feature_map})
    make_report(
        folder / "report.html",
        dataset=dataset,
        metrics=folder / "m.csv",
        curation_figures=dict.fromkeys(subsets, folder / "f.svg"),
        unmatched=dict.fromkeys(subsets, folder / "u.csv"),
        models=[],
        learning_curves={},
        benchmarks=folder,
        explorer=files,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Folder with the report of two subsets, and what it was made from. One material's id is HTML."""
    folder = tmp_path_factory.mktemp("report")
    found = structures_of("Cu")
    structures = {EVIL if name == "mp-12" else name: structure for name, structure in found.items()}
    cu = write_dataset(folder, subsets=("Cu_FEFF",), parts=PARTS, structures=structures)
    ni = write_dataset(folder, subsets=("Ni_FEFF",), parts=PARTS, name="ni.h5", seed=1)
    with h5py.File(ni) as source, h5py.File(cu, "a") as target:
        source.copy("Ni_FEFF", target)
        target["structures"].update({f"{m}@Ni_FEFF": source["structures"][m][()] for m in source["structures"]})
    describe_sites(cu, folder / "c.parquet", answers_file=folder / "kept.jsonl")
    map_features(cu, folder / "map.parquet", features="m3gnet")
    predictions = [
        predictions_of(cu, "Cu_FEFF", "expert", bars=True),
        predictions_of(cu, "Cu_FEFF", "linear", bars=False, noise=5e-5),
        predictions_of(cu, "Ni_FEFF", "expert", bars=True),
    ]
    write_report(folder, cu, predictions, folder / "c.parquet", folder / "map.parquet")
    return folder, predictions


@pytest.fixture
def open_page(browser):
    """Open a report; afterwards see that nothing was said on the console, and nothing fetched but the page."""
    contexts, said, fetched = [], [], []

    def opened(folder, **more):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}, **more))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto((folder / "report.html").as_uri())
        page.wait_for_selector("#explorer[data-ready=yes]", timeout=30_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not said
    assert {url.split("/")[-1] for url in fetched} == {"report.html"} and fetched[0].startswith("file://")


def drawn(page):
    """What the spectrum's panel draws: y by name, in bohr² (the axis has 10⁻³ bohr²)."""
    lines = page.evaluate("document.getElementById('x-spectrum').data.map((line) => [line.name ?? '', line.y])")
    return {name: np.array(y) / 1000 for name, y in lines}


def facts(page):
    return dict(
        zip(page.locator("#x-facts dt").all_inner_texts(), page.locator("#x-facts dd").all_inner_texts(), strict=True)
    )


def scale_of(data):
    """Largest difference that may come from packing, in bohr²."""
    return 2e-4 * np.abs(data.spectra).max()


def shows(page, data, row):
    """Whether the panel draws this row of a prediction file, and says so."""
    lines, scale = drawn(page), scale_of(data)
    assert np.abs(lines["simulated"] - data.spectra[row]).max() < scale
    assert np.abs(lines["predicted"] - data.predictions[row]).max() < scale
    assert facts(page)["Site"] == data.ids[row]
    mse = spectrum_mse(data.spectra, data.predictions)
    assert facts(page)["Error"].startswith(f"{mse[row]:.2e}".replace("e-0", "e−").replace("e-", "e−"))
    return lines


def click_point(page, site):
    """Click where the map draws a site."""
    page.locator("#x-map").scroll_into_view_if_needed()
    at = page.evaluate(
        """(site) => {
          const map = document.getElementById("x-map"), box = map.getBoundingClientRect(), full = map._fullLayout;
          for (const trace of map.data)
            for (let k = 0; k < (trace.customdata || []).length; k++)
              if (trace.text[k].startsWith(site))
                return [box.x + full.xaxis._offset + full.xaxis.l2p(trace.x[k]),
                        box.y + full.yaxis._offset + full.yaxis.l2p(trace.y[k])];
        }""",
        site,
    )
    page.mouse.move(*at)
    page.mouse.click(*at)


def test_a_click_on_a_point_shows_its_spectrum_with_band_and_neighbours(report, open_page):
    folder, (data, _, nickel) = report
    page = open_page(folder)
    table = pd.read_parquet(folder / "map.parquet").set_index(["subset", "material_id"])
    for row in (0, 3):
        click_point(page, data.ids[row])
        page.wait_for_function(
            "(id) => document.querySelector('#x-facts dd').textContent === id", arg=data.ids[row], timeout=5000
        )
        lines = shows(page, data, row)
        upper = data.uncertainty.band_68[1, row]
        assert np.abs(lines["68 % band"] - upper).max() < scale_of(data)
        near = table.loc[("Cu_FEFF", data.ids[row].rsplit("_", 1)[0])]["neighbours"]
        assert page.locator("#x-near tbody button").all_inner_texts() == list(near) and len(near) == NEIGHBOURS
        assert set(near) <= set(lines)
        assert "root mean square" in facts(page)["Expected error"]
        assert facts(page)["Multiplicity"] == "1 atom in the cell"
    page.select_option("#x-scale", "normalised")  # by the last 10 eV, which are 40 points
    mean = data.spectra[3, -40:].mean()
    assert np.abs(1000 * drawn(page)["simulated"] - data.spectra[3] / mean).max() < scale_of(data) / mean
    page.select_option("#x-scale", "cross section")
    page.uncheck("#x-draw-near")
    assert not set(near) & set(drawn(page))
    page.locator("#x-near tbody button").first.click()  # a training site: it has a spectrum, and no prediction
    assert facts(page)["Site"] == near[0] and "none" in facts(page)["Prediction"] and "predicted" not in drawn(page)
    page.select_option("#x-subset", label="Ni_FEFF")
    page.select_option("#x-colour", "error")
    click_point(page, nickel.ids[2])
    page.wait_for_function("(id) => document.querySelector('#x-facts dd').textContent === id", arg=nickel.ids[2])
    shows(page, nickel, 2)


def test_all_can_be_done_by_keyboard(report, open_page):
    folder, (data, baseline, _) = report
    page = open_page(folder)
    page.focus("#x-search")
    page.keyboard.type(data.ids[1])
    assert page.locator("#x-list option").count() == 1
    page.keyboard.press("Enter")
    shows(page, data, 1)
    assert page.evaluate("document.activeElement.id") == "x-list"
    page.fill("#x-search", "")
    order = np.argsort(spectrum_mse(data.spectra, data.predictions))[::-1]
    page.focus("#x-list")
    page.keyboard.press("Home")
    shows(page, data, order[0])  # the largest error comes first
    page.keyboard.press("ArrowDown")
    shows(page, data, order[1])
    page.select_option("#x-order", "best")
    page.select_option("#x-tenth", "3")
    assert page.locator("#x-list option").count() == 1
    page.select_option("#x-tenth", "")
    before = facts(page)["Site"]
    page.focus("#x-map")
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        if facts(page)["Site"] != before:
            break
    assert facts(page)["Site"] in set(data.ids) - {before}
    page.select_option("#x-model", "1")  # the baseline: the same site, without a band
    row = data.ids.index(facts(page)["Site"])
    assert "68 % band" not in shows(page, baseline, row)
    assert "6 spectra are too few" in facts(page)["Error band"]


def test_dark_and_narrow_pages_are_readable(report, open_page):
    page = open_page(report[0], color_scheme="dark")
    ground = page.evaluate("document.getElementById('x-map')._fullLayout.paper_bgcolor")
    assert ground == "#15171a" and page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.getElementById('x-map')._fullLayout.paper_bgcolor === '#ffffff'")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(media="print", color_scheme="dark")
    size = """[document.querySelector('#x-spectrum .main-svg').clientWidth,
               document.getElementById('x-map')._fullLayout.paper_bgcolor]"""
    page.wait_for_function("document.getElementById('x-map')._fullLayout.paper_bgcolor === '#15171a'")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(size) == [660, "#ffffff"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#x-list").is_visible() and page.locator("#x-spectrum").is_visible()
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    width, ground = page.evaluate(size)
    assert width < 600 and ground == "#15171a"


def test_an_id_that_is_html_is_shown_as_text(report, open_page):
    folder, (data, *_) = report
    row = next(k for k, name in enumerate(data.ids) if name.startswith(EVIL))
    page = open_page(folder)
    page.select_option("#x-colour", "part")
    page.select_option("#x-list", str(row))
    shows(page, data, row)
    page.mouse.move(0, 0)
    assert EVIL in page.locator("#x-title").inner_text() and EVIL in page.locator("#x-list").inner_text()
    assert page.evaluate("window.harm") is None and page.locator("#explorer img").count() == 0


def test_a_part_without_spectra_is_told_and_few_training_sites_are_all_neighbours(tmp_path, open_page):
    path = write_dataset(tmp_path, subsets=("Cu_FEFF",), parts=["train"] * 9 + ["val"] * 4)
    other = write_dataset(tmp_path, subsets=("Ni_FEFF",), parts=["train"] * 2 + ["val"] + ["test"] * 10, name="ni.h5")
    with h5py.File(other) as source, h5py.File(path, "a") as target:
        source.copy("Ni_FEFF", target)
    describe_sites(path, tmp_path / "c.parquet", answers_file=tmp_path / "kept.jsonl")
    map_features(path, tmp_path / "map.parquet", features="m3gnet")
    predictions = [predictions_of(path, name, "linear", bars=False) for name in ("Cu_FEFF", "Ni_FEFF")]
    write_report(tmp_path, path, predictions, tmp_path / "c.parquet", tmp_path / "map.parquet")
    page = open_page(tmp_path)
    assert page.locator("#x-count").inner_text() == "The subset has no spectrum in its test part."
    assert facts(page)["Part"] == "train" and "simulated" in drawn(page) and "predicted" not in drawn(page)
    assert "13 sites are too few for a UMAP" in page.locator("#x-map-note").inner_text()
    page.select_option("#x-subset", label="Ni_FEFF")
    shows(page, predictions[1], predictions[1].ids.index(facts(page)["Site"]))
    assert page.locator("#x-list option").count() == 10 and page.locator("#x-near tbody button").count() == 2


def large_case(folder, n):
    """A dataset file, chemistry, map and two models' predictions of `n` made-up sites, a tenth of them judged."""
    rng = np.random.default_rng(0)
    basis = np.concatenate([spectra_of("Cu", 40, seed=k) for k in range(3)])
    spectra = basis[rng.integers(0, 120, n)] * rng.uniform(0.8, 1.2, (n, 1))
    ids, split = [f"mp-{k}" for k in range(n)], np.array(["train"] * 8 + ["val", "test"])[np.arange(n) % 10]
    write_subset(
        folder / "d.h5", "Cu_FEFF", spectra, ids, split.tolist(), start_ev=8983.173, counts={"kept": n},
        features={"m3gnet": (np.zeros((n, 1)), "a" * 64)}, title="large", created="2026", citation="–",
        versions='{"xanesflow": "0"}', config="{}",
    )  # fmt: skip
    frame = pd.DataFrame({"subset": "Cu_FEFF", "material_id": ids, "site_index": 0})
    known = {"formula": "CuO", "oxidation_state": rng.integers(0, 4, n) * 1.0, "oxidation_from": "bond valence"}
    known |= dict.fromkeys(COLUMNS[3:], 1.0) | known | {"cn": rng.integers(2, 9, n), "oxygens": 4, "detail": ""}
    frame.assign(**known).to_parquet(folder / "c.parquet")
    train = np.flatnonzero(split == "train")
    near = [[f"mp-{k}_000" for k in rng.choice(train, 3)] if part != "train" else [] for part in split]
    places = {"split": split, "x": rng.normal(size=n).astype("f4"), "y": rng.normal(size=n).astype("f4")}
    places |= {"method": "umap", "neighbours": near, "distances": [[0.1] * len(each) for each in near]}
    frame.assign(**places).to_parquet(folder / "map.parquet")
    given = {"expert": True, "linear": False}
    predictions = [predictions_of(folder / "d.h5", "Cu_FEFF", model, bars=bars) for model, bars in given.items()]
    write_report(folder, folder / "d.h5", predictions, folder / "c.parquet", folder / "map.parquet")


def test_75691_spectra_make_a_page_below_15_mb_that_opens_in_3_s(tmp_path, open_page):
    large_case(tmp_path, 75_691)
    assert (tmp_path / "report.html").stat().st_size < 15e6
    page = open_page(tmp_path)
    opened = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
    assert 0 < opened < 3
    said = page.locator("p.note", has_text="sampled").first.inner_text()
    assert "of 7569 test spectra, sampled evenly over the tenths of each model's errors" in said
    assert int(page.locator("#x-list option").count()) > 1000
