"""The page in a real browser: from a structure to its spectrum, bad files, reloads, by keyboard, light and dark."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from app_in_browser import NARROW, WIDE, assert_good_contrast_and_labels, open_tab, require_chromium, serve, stop
from command_line import answer, call
from structure_files import cif


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a page at a free port."""
    require_chromium()
    started, address = serve(tmp_path_factory.mktemp("app"), "--port", 0)
    yield address
    stop(started)


@pytest.fixture(scope="module")
def watched(browser, server):
    """A tab for what needs no work done; afterwards the console said nothing, and nothing came from elsewhere."""
    said, fetched = [], []
    context = browser.new_context(viewport=WIDE)
    context.on("request", lambda request: fetched.append(request.url))
    yield open_tab(context, server, said)
    context.close()
    own = server.partition("?")[0]
    assert [url for url in fetched if not url.startswith((own, "data:", f"blob:{own}"))] == []
    assert said == []


@pytest.fixture(scope="module")
def cuprite(server, browser):
    """A page on which the spectrum of cuprite was found, taken and computed; others see it too."""
    page = open_tab(browser.new_context(viewport=WIDE), server)
    page.fill("#structure-words", "cuprite")
    page.press("#structure-words", "Enter")
    page.click("#structure-found button >> text=cu2o-cuprite")
    page.wait_for_selector("#structure-about tr[data-site]")
    page.wait_for_function("document.querySelector('#structure-time').textContent.includes('Expected time')")
    page.click("#structure-compute")
    page.wait_for_selector(".job.done")
    yield page
    page.context.close()


def lines_drawn(page):
    return page.evaluate("document.querySelector('#structure-spectra .js-plotly-plot').data.map(each => each.y.length)")


def test_a_structure_is_found_described_and_its_spectrum_computed(cuprite):
    about = cuprite.inner_text("#structure-about")
    for said in ("Cu2O", "Pn-3m (no. 224)", "6.110 g/cm³", "2 O at 1.85 Å", "Kirfel"):
        assert said in about
    assert cuprite.locator("[data-cell] canvas").count() > 0
    assert cuprite.inner_text(".job.done h3") == "Cu2O (cu2o-cuprite), Cu K edge, FEFF8L"
    assert lines_drawn(cuprite)[0] > 100
    cuprite.click("text=normalised")
    cuprite.wait_for_function("document.querySelector('#structure-spectra').textContent.includes('Normalised')")
    normal = cuprite.evaluate("document.querySelector('#structure-spectra .js-plotly-plot').data[0].y")
    assert normal[-1] == pytest.approx(1.0, abs=0.2)
    cuprite.click("text=with background")
    cuprite.wait_for_function("document.querySelector('#structure-spectra .js-plotly-plot').data.length === 2")
    cuprite.click("label:has-text('cross section')")


def test_its_files_are_those_of_the_command_that_it_names(cuprite, tmp_path, monkeypatch):
    words = cuprite.inner_text(".job.done .terminal code").split()
    assert words[:3] == ["xanesflow", "xanes", "cu2o-cuprite"]
    monkeypatch.chdir(tmp_path)
    assert answer(*words[1:])[0] == 0
    for name in ("cu2o-cuprite_Cu_xanes.csv", "cu2o-cuprite_Cu_xanes_normalised.csv"):
        with cuprite.expect_download() as got:
            cuprite.click(f".job.done a:text-is('{name}')")
        page, own = (pd.read_csv(each, comment="#") for each in (got.value.path(), tmp_path / name))
        assert list(page.columns) == list(own.columns)
        np.testing.assert_allclose(page.to_numpy(), own.to_numpy(), rtol=1e-12)
    with cuprite.expect_download() as got:
        cuprite.click("#panel-structure button[data-image=svg]")
    assert b"<svg" in open(got.value.path(), "rb").read()[:200]  # noqa: PTH123, SIM115


def test_a_kept_spectrum_is_not_computed_again_and_has_the_same_numbers(cuprite):
    first = cuprite.evaluate("document.querySelector('#structure-spectra .js-plotly-plot').data[0].y")
    cuprite.click("#structure-compute")
    cuprite.wait_for_function("document.querySelectorAll('.job.done').length === 2")
    newest = cuprite.locator(".job").first
    assert "kept" in newest.inner_text()
    again = cuprite.evaluate("document.querySelector('#structure-spectra .js-plotly-plot').data[0].y")
    np.testing.assert_allclose(again, first, rtol=1e-6)  # what is kept has 4 bytes a number
    newest.locator("text=Remove").click()
    cuprite.wait_for_function("document.querySelectorAll('.job').length === 1")


def test_a_file_is_read_as_it_is_and_a_site_that_is_pointed_at_lights_up(watched, tmp_path):
    path = tmp_path / "given.cif"
    path.write_text(cif("Cu 0 0 0", "O 0.5 0.5 0.5"))
    watched.set_input_files("#structure-files-field", path)
    watched.wait_for_selector("#structure-about tr[data-site]")
    assert "given.cif" in watched.inner_text("#structure-about")
    row = watched.locator("#structure-about tr[data-site]").first
    row.hover()
    assert "lit" in row.get_attribute("class")
    watched.locator("h1").first.hover()
    watched.wait_for_function("!document.querySelector('#structure-about tr.lit')")
    # An absorber in the cell does the same; its figure is told, as no pointer finds an atom that WebGL has drawn.
    watched.evaluate(
        """() => { const figure = document.querySelector("[data-cell] .js-plotly-plot");
        const atoms = figure.data.findIndex((trace) => trace.customdata && trace.customdata[0]);
        figure.emit("plotly_hover", {points: [{curveNumber: atoms, pointNumber: 0, data: figure.data[atoms]}]}); }"""
    )
    watched.wait_for_selector("#structure-about tr.lit")


BAD = {
    "empty.cif": b"",
    "binary.cif": bytes(range(256)) * 20,
    "no_atoms.cif": b"data_x\n_cell_length_a 4\n",
    "<img src=x onerror=window.harm=1>.cif": b"data_",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_the_commands_sentence_beside_the_field(name, watched, tmp_path, monkeypatch):
    watched.set_input_files("#structure-files-field", {"name": name, "mimeType": "text/plain", "buffer": BAD[name]})
    safe = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII)
    watched.wait_for_function(f"document.querySelector('#structure-error').textContent.includes('{safe}')")
    (tmp_path / safe).write_bytes(BAD[name])
    monkeypatch.chdir(tmp_path)
    assert watched.inner_text("#structure-error").split() == call("xanes", safe)[2].split()
    assert watched.evaluate("window.harm") is None


def test_a_file_of_two_gigabytes_is_refused_before_it_is_sent(watched):
    watched.evaluate(
        """() => { const file = new File(["x"], "huge.cif"); Object.defineProperty(file, "size", {value: 2 ** 31});
        const drop = document.querySelector("#panel-structure .drop"), event = new Event("drop", {bubbles: true});
        event.dataTransfer = {files: [file]}; drop.dispatchEvent(event); }"""
    )
    watched.wait_for_function("document.querySelector('#structure-files-refused').textContent")
    said = watched.inner_text("#structure-files-refused")
    assert said == "huge.cif has 2,147,483,648 bytes, and the limit is 16,777,216."


def test_words_that_nothing_holds_are_refused_in_the_commands_sentence(watched):
    watched.fill("#structure-words", "/etc/passwd")
    watched.click("#structure-search")
    watched.wait_for_function("document.querySelector('#structure-error').textContent.includes('passwd')")
    assert watched.inner_text("#structure-error") == (
        "No example and no mineral holds /etc/passwd; write fewer or other words."
    )


def test_work_goes_on_through_a_reload_is_seen_in_a_second_tab_and_can_be_cancelled(cuprite, server):
    cuprite.check("input[type=radio][value=FEFF]")
    cuprite.click("#structure-compute")
    cuprite.wait_for_selector(".job.at-work")
    cuprite.reload()
    cuprite.wait_for_selector(".job.at-work")
    second = open_tab(cuprite.context, server.partition("?")[0])
    second.wait_for_selector(".job.at-work progress")
    second.click(".job.at-work button:has-text('Cancel')")
    second.wait_for_selector(".job.cancelled")
    cuprite.wait_for_selector(".job.cancelled")
    second.close()
    cuprite.click(".job.cancelled button:has-text('Remove')")
    cuprite.wait_for_function("document.querySelectorAll('.job').length === 1")
    assert cuprite.locator("#structure-about h3").inner_text() == "Cu2O"  # the tab remembers its structure


def test_the_keyboard_alone_reaches_everything(watched):
    watched.focus("#tab-structure")
    watched.keyboard.press("ArrowRight")
    assert watched.evaluate("document.activeElement.id") == "tab-measured"
    assert watched.is_visible("#panel-measured")
    assert not watched.is_visible("#panel-structure")
    watched.keyboard.press("ArrowLeft")
    reached = set()
    for _ in range(12):
        watched.keyboard.press("Tab")
        reached.add(watched.evaluate("document.activeElement.id"))
    assert {"structure-files-field", "structure-words", "structure-search"} <= reached
    watched.focus("#structure-words")
    watched.keyboard.type("bunsenite")
    watched.keyboard.press("Enter")
    watched.wait_for_selector("#structure-found button")
    watched.focus("#structure-found button")
    watched.keyboard.press("Enter")
    watched.wait_for_selector("#structure-about h3 >> text=NiO")
    watched.focus("#structure-compute")


@pytest.mark.parametrize(("size", "scheme"), product((WIDE, NARROW), ("light", "dark")))
def test_contrast_and_labels_are_good_and_nothing_is_cut_off(cuprite, size, scheme):
    cuprite.set_viewport_size(size)
    cuprite.emulate_media(color_scheme=scheme)
    for tab in ("structure", "measured", "campaign"):
        cuprite.click(f"#tab-{tab}")
        assert_good_contrast_and_labels(cuprite)
        assert cuprite.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cuprite.click("#tab-structure")
