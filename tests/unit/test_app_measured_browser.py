"""Measured → answer in a real browser: from dropped scans to a match, a mixture and a site; questions and bad files."""

import numpy as np
import pytest
from app_in_browser import NARROW, WIDE, assert_good_contrast_and_labels, open_tab, require_chromium, says, serve, stop
from iron_spectra import keep_spectra, measured
from measured_files import ENERGY, mu, table, xdi
from processes import until
from test_app_measured import COPPER, campaign  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def server(tmp_path_factory, campaign):  # noqa: F811
    """The page's address, while its server runs."""
    require_chromium()
    folder = tmp_path_factory.mktemp("page")
    keep_spectra(folder / "cache", "examples")
    started, address = serve(folder, "--port", 0, "--campaign", campaign)
    yield address
    stop(started)


@pytest.fixture
def page(browser, server):
    """The view in a tab of its own; afterwards see that the console said nothing."""
    context, said = browser.new_context(viewport=WIDE), []
    opened = open_tab(context, server, said)
    opened.click("#tab-measured")
    opened.wait_for_selector("#measured-spectrum >> text=Scans that you give are drawn here.")
    yield opened
    context.close()
    assert said == []


def send(page, name, *paths):
    page.set_input_files(f"#measured-{name}-field", [str(path) for path in paths])


def number(page, name):
    return float(page.input_value(f"#measured-{name}") or "nan")


def write(page, name, text):
    page.fill(f"#measured-{name}", text)
    page.press(f"#measured-{name}", "Tab")


def traces(page, name):
    return page.evaluate(f"document.querySelector('#measured-{name} .js-plotly-plot')?.data.map(each => each.name)")


def newest(page, title):
    """What the card of a job says, once it is done."""
    page.wait_for_selector(f"#measured-jobs > li.done:first-child h3:has-text('{title}')")
    return page.inner_text("#measured-jobs > li:first-child")


def test_from_a_scan_to_a_match_a_mixture_and_a_site(page, tmp_path):
    send(page, "files", xdi(tmp_path / "scan.xdi", "mu", ENERGY, 0.3 + 1.3 * measured(4.0)))
    says(page, "#measured-about", "Fe K, as stated")
    e0 = number(page, "e0")
    assert e0 == pytest.approx(7120, abs=1)
    assert traces(page, "spectrum")[:3] == ["as measured", "before the edge", "after the edge"]

    # A handle is moved by the pointer, a number by keyboard, and both are undone.
    line = until(page.locator("#measured-spectrum .shapelayer path").last.bounding_box)  # none while it is redrawn
    x, y = line["x"] + line["width"] / 2, line["y"] + line["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 15, y, steps=4)
    page.mouse.move(x + 30, y, steps=4)
    page.mouse.up()
    page.wait_for_function(f"Number(document.querySelector('#measured-e0').value) > {e0 + 10}")
    says(page, "#measured-about", "eV, given")
    write(page, "pre_0", "-120")
    says(page, "#measured-about", "line from -120")
    page.click("#measured-reset")
    page.wait_for_function(f"Number(document.querySelector('#measured-e0').value) === {e0}")
    assert number(page, "pre_0") < -120

    # Match; another row is laid over the scan.
    page.fill("#measured-contains", "Fe,O")
    page.click("#measured-match")
    said = newest(page, "scan.xdi: match with examples")
    assert "certainty" in said and "scan_match.csv" in said
    assert "xanesflow match scan.xdi examples --contains Fe,O --output scan_match.csv" in said
    first = traces(page, "answer")
    page.click("#measured-jobs tbody tr:nth-child(2) button")
    page.wait_for_selector("#measured-jobs tr.laid:nth-child(2)")
    assert traces(page, "answer")[1] != first[1] and traces(page, "answer")[0] == first[0]

    # Mix.
    page.click("text=Mix: which of my standards")
    names = (("oxide", 4.0), ("metal", 12.0), ("salt", 8.0))
    send(page, "standards", *(xdi(tmp_path / f"{n}.xdi", "mu", ENERGY, 0.2 + measured(peak)) for n, peak in names))
    says(page, "#measured-standards-kept", "3 files: oxide.xdi")
    page.click("#measured-mix")
    assert "oxide" in newest(page, "scan.xdi: mixture of 3 files")
    page.wait_for_function(
        "document.querySelector('#measured-answer .js-plotly-plot').data[1].name.startsWith('oxide 1.00')"
    )

    # Interpret: no model reads iron, one reads copper.
    page.click("text=Interpret: what is")
    says(page, "#measured-no-model", "There is no interpreter for Fe")
    assert not page.is_visible("#measured-interpret")
    send(page, "files", xdi(tmp_path / "cu.xdi", "mutrans", COPPER, mu(COPPER, e0=8990.0), element="Cu"))
    says(page, "#measured-about", "Cu K, as stated")
    page.wait_for_selector("#measured-model input", state="attached")
    page.click("#measured-interpret")
    said = newest(page, "cu.xdi: interpretation by trees-Cu_FEFF")
    assert "without the spectrum" in said and "Nearest simulated sites" in said

    # Scans and answers are there after a reload; all fits on a narrow screen.
    page.reload()
    page.wait_for_selector("#measured-jobs > li.done >> nth=2")
    says(page, "#measured-about", "Cu K, as stated")
    assert number(page, "e0") == pytest.approx(8990, abs=0.1)
    page.set_viewport_size(NARROW)
    page.wait_for_function(f"document.documentElement.scrollWidth <= {NARROW['width']}")


def test_ambiguous_columns_are_answered_in_the_form_and_bad_files_refused_beside_the_field(page, tmp_path):
    bad = tmp_path / "picture.png"
    bad.write_bytes(b"\x89PNG" + bytes(1000))
    send(page, "files", bad)
    says(page, "#measured-error", "picture.png is an image; export the spectrum as text in columns.")
    large = tmp_path / "large.dat"
    with large.open("wb") as file:
        file.truncate(2 * 10**9)
    send(page, "files", large)
    says(page, "#measured-files-refused", "large.dat has 2000 MB, far more than spectra need")
    send(page, "files", table(tmp_path / "counts.dat", ENERGY, 1e6 + 0 * ENERGY, 1e6 * np.exp(-mu())))
    says(page, "#measured-error", "counts.dat does not say which of its columns is what")
    page.fill("#measured-columns", "energy=1,i0=2,it=3")
    page.click("#measured-read")
    says(page, "#measured-about", "transmission, columns")
    page.wait_for_function("document.querySelector('#measured-error').innerText === ''")
    write(page, "pre_0", "-120")
    says(page, "#measured-about", "line from -120")
    page.fill("#measured-exclude", "7300:7310")
    page.click("#measured-read")
    page.wait_for_function("JSON.parse(sessionStorage.getItem('measured')).how.exclude === '7300:7310'")
    says(page, "#measured-about", "line from -120")


def test_contrast_and_labels_are_good(page, tmp_path):
    send(page, "files", *(xdi(tmp_path / f"s{n}.xdi", "mu", ENERGY, measured(4.0 + n)) for n in range(2)))
    says(page, "#measured-about", "Fe K, as stated")
    page.evaluate("document.querySelectorAll('#panel-measured details').forEach(each => { each.open = true; })")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert_good_contrast_and_labels(page)
