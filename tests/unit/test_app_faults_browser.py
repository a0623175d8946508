"""What goes wrong, in a real browser: full disk, killed worker, stopped server, closed tab, 500 scans; and no mouse."""

import os
import re
import signal
import socket
import time
from types import SimpleNamespace

import psutil
import pytest
from app_in_browser import LONG, WIDE, open_tab, require_chromium, says, serve, stop
from iron_spectra import keep_spectra, measured
from measured_files import ENERGY, xdi
from processes import is_alive
from small_disk import mounted
from structure_files import cif

TOKEN = "known to the tests only"
SCANS = 500


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(folder, port, *options):
    """Start the page in a folder, with a token that stays; its process."""
    process, address = serve(folder, "--port", port, *options, XANESFLOW_APP_TOKEN=TOKEN)
    assert address.startswith(f"http://127.0.0.1:{port}/")
    return process


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The page: `address`, `folder`, and `process`, which a test may stop and start again."""
    require_chromium()
    folder, port = tmp_path_factory.mktemp("page"), free_port()
    keep_spectra(folder / "cache", "examples")
    address = f"http://127.0.0.1:{port}/?token={TOKEN}"
    page = SimpleNamespace(folder=folder, port=port, address=address, process=start(folder, port))
    yield page
    stop(page.process)


@pytest.fixture
def page(browser, served):
    """A tab; what the browser says of a server that is gone is not looked at."""
    context = browser.new_context(viewport=WIDE)
    yield open_tab(context, served.address)
    context.close()


def take(page, name="cuprite"):
    """Choose a structure of the examples."""
    page.fill("#structure-words", name)
    page.press("#structure-words", "Enter")
    page.locator("#structure-found button").first.click()
    page.wait_for_selector("#structure-about tr[data-site]")


def work_long(page):
    """Put work into the queue that takes minutes, and wait until it is at work."""
    take(page)
    page.check("input[type=radio][value=FEFF]")
    page.click("#structure-compute")
    says(page, "#structure-jobs .job.at-work", "1 site")


def test_a_full_disk_is_named_beside_the_field_and_all_goes_on_once_there_is_room(browser, tmp_path):
    (tmp_path / "given.cif").write_text(cif("Cu 0 0 0", "O 0.5 0.5 0.5"))
    with mounted(tmp_path / "small", "size=600k") as small:
        port = free_port()
        process = start(tmp_path, port, "--folder", small)
        context = browser.new_context(viewport=WIDE)
        try:
            page = open_tab(context, f"http://127.0.0.1:{port}/?token={TOKEN}")
            with pytest.raises(OSError), (small / "other").open("wb") as other:
                while True:
                    other.write(bytes(4096))
                    other.flush()
            page.set_input_files("#structure-files-field", tmp_path / "given.cif")
            says(page, "#structure-files-refused", "No space left on device")
            page.fill("#structure-words", "cuprite")
            page.click("#structure-search")
            says(page, "#structure-error", "No space left on device")
            (small / "other").unlink()
            take(page)
            assert page.inner_text("#structure-error") == ""
            page.set_input_files("#structure-files-field", tmp_path / "given.cif")
            says(page, "#structure-about", "given.cif")
        finally:
            context.close()
            stop(process)


def test_a_drop_of_500_scans_in_folders_is_sent_and_read(page, tmp_path):
    text = xdi(tmp_path / "scan.xdi", "mu", ENERGY, measured(4.0)).read_text("utf-8")
    page.click("#tab-measured")
    page.evaluate(
        """([text, number]) => {
            const file = (name) => ({ name, isFile: true, file: (done) => done(new File([text], name)) });
            const folder = (name, inside) => ({ name, createReader: () => {
                const left = [...inside];
                return { readEntries: (done) => done(left.splice(0, 100)) };
            }});
            const scans = Array.from({ length: number }, (_, k) => file(`scan${k + 1}.xdi`));
            const night = folder("night", [folder("late", scans.slice(2)), ...scans.slice(0, 2), file(".DS_Store")]);
            const event = new Event("drop", { bubbles: true });
            event.dataTransfer = { files: [], items: [{ webkitGetAsEntry: () => night }] };
            document.querySelector("#measured-files-field").closest(".drop").dispatchEvent(event);
        }""",
        [text, SCANS],
    )
    says(page, "#measured-about", "470 further scans are read with these when you go on.")
    assert page.locator("#measured-shown label").count() == 30
    assert page.inner_text("#measured-files-refused") == ""


def test_a_killed_worker_says_so_and_its_work_can_be_started_again(page, served):
    work_long(page)
    below = psutil.Process(served.process.pid).children(recursive=True)
    workers = [each for each in below if is_alive(each.pid) and os.getpgid(each.pid) == each.pid]  # lead a group each
    assert workers
    for each in workers:
        each.kill()
    page.wait_for_selector("#structure-jobs .job.failed")
    said = page.inner_text("#structure-jobs .job.failed .error")
    assert said.startswith("The process that did this was killed by signal 9; the machine may have run out of memory.")
    page.click(".job.failed button:has-text('Start again')")
    page.wait_for_selector("#structure-jobs .job.at-work")
    page.click(".job.at-work button:has-text('Cancel')")
    page.click(".job.cancelled button:has-text('Remove')")
    page.wait_for_function("document.querySelectorAll('#structure-jobs .job').length === 0")


def test_work_outlives_its_tab_and_a_stopped_server_says_what_is_kept(page, served):
    work_long(page)
    context = page.context
    page.close()
    tab = open_tab(context, served.address)
    tab.wait_for_selector("#structure-jobs .job.at-work")

    # The server is stopped under the tab, which says so; what it shows stays.
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(60)
    says(tab, "#lost", "The page's server does not answer. If it was stopped, start `xanesflow app` again")
    assert "Cu2O" in tab.inner_text("#structure-jobs .job.at-work")

    # The next server has the work, and the same tab goes on.
    served.process = start(served.folder, served.port)
    says(tab, "#kept", "The server was stopped: ")
    assert re.search("1 not finished, which you can start again", tab.inner_text("#kept"))
    assert tab.inner_text("#lost") == ""
    assert "start it again, what was computed is kept" in tab.inner_text("#structure-jobs .job.stopped .error")
    tab.click(".job.stopped button:has-text('Start again')")
    tab.wait_for_selector("#structure-jobs .job.at-work")
    tab.click(".job.at-work button:has-text('Cancel')")
    tab.click(".job.cancelled button:has-text('Remove')")


def test_from_a_scan_to_a_ranked_answer_by_keyboard_alone(page, tmp_path):
    scan = xdi(tmp_path / "scan.xdi", "mu", ENERGY, 0.3 + 1.3 * measured(4.0))

    def tab_to(selector):
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"no {selector} is reached")

    page.focus("#tab-structure")
    page.keyboard.press("ArrowRight")
    tab_to("#measured-files-field")
    chosen = []
    page.on("filechooser", lambda chooser: chosen.append(chooser))  # noqa: PLW0108 - a builtin takes no attributes
    end = time.monotonic() + LONG / 1000
    while not chosen and time.monotonic() < end:  # a key does nothing if it comes right after the field came into view
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
    chosen[0].set_files(scan)
    says(page, "#measured-about", "Fe K, as stated")
    tab_to("#measured-e0")
    page.keyboard.press("Control+a")
    page.keyboard.type("7121")
    page.keyboard.press("Enter")
    says(page, "#measured-about", "7121.00 eV, given")
    tab_to("#measured-match")
    page.keyboard.press("Enter")
    page.wait_for_selector("#measured-jobs .job.done")
    tab_to("#measured-jobs tbody tr:nth-child(2) button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#measured-jobs tr.laid:nth-child(2)")
    says(page, "#measured-jobs .job.done", "certainty")
