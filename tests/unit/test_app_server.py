"""The page without a browser: what may be sent, and the queue of work."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from command_line import call
from fake_engine import WorkingDirectory
from feff_runs import bent_chain, poscar
from pages import client, page_in, session_of
from processes import is_alive, until
from pymatgen.io.cif import CifWriter
from queued_work import KINDS
from trained_campaign import model_of

import xanesflow
from xanesflow.app import campaign_view, structure_work
from xanesflow.app.campaign_work import read_campaign
from xanesflow.app.structure_view import _figure, _given
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import fill
from xanesflow.core.errors import XanesflowError
from xanesflow.core.limits import STRUCTURE_FILE
from xanesflow.running.do_work import Work
from xanesflow.running.work_queue import CANCELLED, DONE, FAILED, STOPPED, WAITING, WorkQueue
from xanesflow.simulations.state.failures import list_failures

SUBSET = "Cu_FEFF8L"


@pytest.fixture
def new_queue(tmp_path):
    """Make a queue, or the next one of a server that was stopped."""
    made = []

    def new(at_a_time=1):
        made.append(WorkQueue(tmp_path / "work", KINDS, at_a_time=at_a_time, most=4))
        return made[-1]

    yield new
    for each in made:
        each.close()


@pytest.fixture
def queue(new_queue):
    return new_queue(at_a_time=2)


def ended(queue, job, session="one"):
    return until(lambda: queue.get(session, job.id).over and queue.get(session, job.id), job.title)


def test_work_is_done_in_another_process_and_its_result_and_files_are_kept(queue):
    job = queue.add("one", "add", "a sum", {"a": 1, "b": 2})
    assert ended(queue, job).state == DONE
    assert queue.result("one", job.id) == {"sum": 3}
    assert [path.read_text() for path in queue.files("one", job.id).values()] == ["a sum"]
    (shown,) = queue.shown("one")
    assert (shown["title"], shown["share"]) == ("a sum", 1.0)
    assert "given" not in shown  # a page gets no path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refuse", "This cannot be used; give something else."),
        ("fill_disk", "The system said: No space left on device (result.json); fix that and try again."),
        ("die", "was killed by signal 9"),
        ("crash", "a fault of xanesflow, not of yours; please report it: ZeroDivisionError by hand"),
    ],
)
def test_work_that_fails_says_why_and_the_next_is_done(queue, kind, said):
    job = ended(queue, queue.add("one", kind, kind, {}))
    assert job.state == FAILED
    assert said in job.error
    assert ended(queue, queue.add("one", "add", "next", {"a": 1, "b": 1})).state == DONE


def test_asking_answers_or_raises_and_leaves_nothing_behind(queue, tmp_path):
    given = tmp_path / "given.txt"
    given.write_text("asked")
    assert queue.ask("read", {}, {"files": [given]}) == {"text": "asked"}
    with pytest.raises(XanesflowError, match="give something else"):
        queue.ask("refuse", {})
    assert not list((tmp_path / "work").iterdir())


def test_a_job_keeps_its_files_so_that_it_can_be_done_again(queue, tmp_path):
    given = tmp_path / "given.txt"
    given.write_text("first")
    job = queue.add("one", "read", "reading", {}, {"files": [given]})
    ended(queue, job)
    given.unlink()
    queue.again("one", job.id)
    assert ended(queue, job).state == DONE
    assert queue.result("one", job.id) == {"text": "first"}


def test_cancelling_ends_the_process_and_what_waits_goes_on(new_queue, tmp_path):
    queue = new_queue()
    job = queue.add("one", "sleep", "long", {})
    later = queue.add("one", "add", "short", {"a": 0, "b": 0})
    pids = until(lambda: queue.result("one", job.id).get("pids"))
    assert later.state == WAITING
    queue.cancel("one", job.id)
    assert queue.get("one", job.id).state == CANCELLED
    assert ended(queue, later).state == DONE
    until(lambda: not any(map(is_alive, pids)), "the end of the worker and of what it started")
    queue.remove("one", job.id)
    assert not (tmp_path / "work" / job.id).exists()


def test_sessions_see_only_their_own_and_may_not_fill_the_queue(queue):
    jobs = [queue.add("one", "sleep", "long", {}) for _ in range(4)]
    with pytest.raises(XanesflowError, match="4 pieces of work wait already"):
        queue.add("one", "sleep", "one more", {})
    other = queue.add("two", "add", "short", {"a": 1, "b": 1})
    assert queue.jobs("two") == [other]
    for ask in (queue.get, queue.result, queue.files, queue.cancel, queue.again, queue.remove):
        with pytest.raises(XanesflowError, match="no such work"):
            ask("two", jobs[0].id)
    with pytest.raises(XanesflowError):
        queue.get("one", "../../etc")


def test_a_job_is_removed_only_while_no_thread_looks_through_the_jobs(queue):
    job = queue.add("one", "add", "a sum", {"a": 1, "b": 2})
    ended(queue, job)
    alone = []

    class Watched(dict):
        def pop(self, *key):
            alone.append(queue._change._is_owned())
            return super().pop(*key)

    queue._jobs = Watched(queue._jobs)
    queue.remove("one", job.id)
    assert alone == [True] and not queue.jobs("one") and not (queue.folder / job.id).exists()


def test_a_queue_that_is_stopped_keeps_what_is_done_and_says_what_is_not(new_queue, tmp_path):
    queue = new_queue()
    done = ended(queue, queue.add("one", "add", "short", {"a": 1, "b": 2}))
    slept = queue.add("one", "sleep", "long", {})
    until(lambda: queue.result("one", slept.id))
    queue.close()
    half = tmp_path / "work" / ("0" * 32)
    half.mkdir()
    (half / "job.json").write_text('{"id": 3')
    again = new_queue()
    assert again.result("one", done.id) == {"sum": 3}
    assert again.get("one", slept.id).state == STOPPED
    assert "The server was stopped" in again.get("one", slept.id).error
    assert not half.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists processes in /proc")
def test_a_killed_server_leaves_no_process_and_its_work_counts_as_stopped(new_queue, tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from queued_work import KINDS\n"
        "from xanesflow.running.work_queue import WorkQueue\n"
        "if __name__ == '__main__':\n"
        f"    queue = WorkQueue(Path({str(tmp_path / 'work')!r}), KINDS, at_a_time=1, most=4)\n"
        "    queue.add('one', 'sleep', 'long', {})\n"
        "    time.sleep(600)\n"
    )
    script = tmp_path / "serve.py"
    script.write_text(code)
    path = os.pathsep.join([str(Path(xanesflow.__file__).parents[1]), str(Path(__file__).parents[1] / "support")])
    server = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": path})
    try:
        (result,) = until(lambda: list((tmp_path / "work").glob("*/result.json")))
        pids = json.loads(result.read_text())["pids"]
        server.kill()
        server.wait()
        until(lambda: not any(map(is_alive, pids)), "the end of the worker and of what it started")
    finally:
        server.kill()
    assert [job.state for job in new_queue().jobs("one")] == [STOPPED]


@pytest.fixture
def page(tmp_path):
    made = page_in(tmp_path / "app", "localhost", "localhost:8050", cache=tmp_path / "cache")
    yield made
    made.queue.close()


def test_the_page_loads_nothing_from_elsewhere_and_says_so(page):
    answer = client(page).get("/")
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_uploads_are_kept_apart(page, tmp_path):
    one, two = client(page), client(page)
    kept = one.post("/upload/structure?name=../../../tmp/x/..%5Cevil.cif", data=b"data_").get_json()
    assert kept["name"] == "evil.cif"
    (file,) = (tmp_path / "app" / "uploads").glob("*/*/*")
    assert file.name == "evil.cif"
    assert two.post("/upload/nothing?name=a", data=b"").status_code == 404
    session = file.parents[1].name
    assert page.uploads.path(session, kept["id"]) == file
    with pytest.raises(XanesflowError):
        page.uploads.path("another", kept["id"])


def test_a_file_that_is_too_large_gets_the_commands_sentence(page):
    known = client(page)
    said = known.post("/upload/structure?name=big.cif&bytes=2147483648").get_json()["error"]
    assert said == f"big.cif has 2,147,483,648 bytes, and the limit is {STRUCTURE_FILE:,}."


def test_files_of_a_job_go_to_its_own_session_only(page):
    one, two = client(page), client(page)
    session = session_of(one)
    page.queue._kinds = KINDS
    job = ended(page.queue, page.queue.add(session, "add", "a sum", {"a": 1, "b": 2}), session)
    got = one.get(f"/download/{job.id}/sum.txt")
    assert (got.status_code, got.data) == (200, b"a sum")
    assert "attachment" in got.headers["Content-Disposition"]
    own = [f"{job.id}/{name}" for name in ("job.json", "..%2Fjob.json", "%2e%2e/job.json")]
    for path in (*own, f"..%2F{job.id}/x", "x/y"):
        answer = one.get(f"/download/{path}")
        assert answer.status_code == 404 or b"_dash-config" in answer.data  # not a file, but the page itself
    assert two.get(f"/download/{job.id}/sum.txt").status_code == 404


def test_only_models_and_ways_that_the_page_offers_are_taken(tmp_path, page):
    asked, page = page.queue, page_in(tmp_path / "other", models=("builtin:Cu_FEFF",))
    page.queue.close()
    sent = {"given": {"name": "cuprite", "disorder": "refuse"}}
    assert _given(page, sent, "Cu", "model:0")[0]["model"] == "builtin:Cu_FEFF"
    for number in ("1", "99", "-1", "x", "", "0 ", "²"):
        with pytest.raises(XanesflowError, match=r"no such model; choose one of the list\.$"):
            _given(page, sent, "Cu", f"model:{number}")
    with pytest.raises(XanesflowError, match=r"Partly occupied sites are refuse or ordered or random; choose"):
        _given(page, {"given": {"name": "cuprite", "disorder": "evil"}}, "Cu", "model:0")
    with pytest.raises(XanesflowError, match="'99' is not one that computes single sites"):
        asked.ask("expect_time", *_given(page, sent, "Cu", 99))


def test_what_a_browser_sends_beside_names_and_ids_is_left_out(page):
    sent = {"given": {"name": "cuprite", "disorder": "refuse", "files": ["/etc/passwd"], "cache": "/tmp"}}
    given, files = _given(page, sent, "Cu", "FEFF8L")
    assert "files" not in given
    assert given["cache"] == str(page.settings.cache)
    assert files == {}


def test_a_name_that_is_a_path_opens_no_file(page, tmp_path):
    (tmp_path / "secret.cif").write_text("data_secret")
    with pytest.raises(XanesflowError, match="no example or mineral with that name"):
        page.queue.ask("read_structure", {"name": str(tmp_path / "secret.cif"), "disorder": "refuse"})


def test_a_campaign_is_shown_as_status_counts_it_and_its_report_in_a_box_of_its_own(tmp_path):
    campaign = WorkingDirectory(tmp_path, core_hours=2.0).write("Sr", "Ca", "Ba")
    packed = campaign.run(do={"Sr": "crash"})
    list_failures([packed], campaign.folder / fill(paths.FAILED_SITES, subset=SUBSET), subset=SUBSET)
    found = read_campaign(Work(tmp_path, {"campaign": str(campaign.folder)}))
    (row,) = found["rows"]
    assert [row[name] for name in ("sites", "done", "failed", "waiting")] == ["3", "2", "1", "0"]
    assert found["reasons"] == [[SUBSET, "engine_failed", 1]]
    assert [each[2] for each in found["failed"]] == ["engine_failed"]
    assert found["forecast"] == "All sites have ended: 2 good, 1 failed."
    assert "engine_failed" in str(campaign_view._shown(found))
    assert found["terminal"] == ["xanesflow", "status"], "the page of a group does not say where the campaign is"
    found = read_campaign(Work(tmp_path, {"campaign": str(campaign.folder), "alone": True}))
    assert found["terminal"] == ["xanesflow", "status", str(campaign.folder.resolve())]

    page = page_in(tmp_path / "app", alone=True, campaign=campaign.folder)
    try:
        known = client(page)
        assert known.get("/campaign/report").status_code == 404
        report = campaign.folder / paths.REPORT
        report.parent.mkdir(parents=True)
        report.write_text("<script>1</script>")
        answer = known.get("/campaign/report")
        assert answer.data == b"<script>1</script>"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts")
        assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
        assert client(page, token="").get("/campaign/report").status_code == 403
    finally:
        page.queue.close()


def test_a_model_predicts_what_the_command_predicts_with_its_error_band(page, tmp_path, monkeypatch):
    (tmp_path / "chain.vasp").write_text(poscar(bent_chain()))
    given = {"disorder": "refuse", "element": "Cu", "model": str(model_of())}
    job = page.queue.add("one", "predict_spectra", "predict", given, {"files": [tmp_path / "chain.vasp"]})
    assert ended(page.queue, job).error == ""
    found = page.queue.result("one", job.id)
    monkeypatch.chdir(tmp_path)
    assert found["terminal"][:2] == ["xanesflow", "predict"]
    assert call(*found["terminal"][1:])[0] == 0
    table = "chain_Cu_predicted.csv"
    own, shown = (pd.read_csv(each, comment="#") for each in (tmp_path / table, page.queue.files("one", job.id)[table]))
    pd.testing.assert_frame_equal(own, shown)
    assert len(found["rows"]) == len(found["curves"]) == 3
    low, high = found["mean"]["band"]
    assert all(a < b < c for a, b, c in zip(low, found["mean"]["cross_section"], high, strict=True))
    drawn = _figure([{"id": job.id, "title": "x", "result": found}], "cross_section", with_sites=True)
    assert [len(each["x"]) for each in drawn["data"]] == [141] * (3 + 1 + 2)
    refused = page.queue.add(
        "one", "predict_spectra", "x", {**given, "element": "O"}, {"files": [tmp_path / "chain.vasp"]}
    )
    assert ended(page.queue, refused).error == "The model predicts no O; it covers Cu_FEFF."


def test_the_average_of_a_disordered_crystal_is_that_of_all_its_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mixed = bent_chain()
    for site in range(4, 9):  # the neighbours of copper, so that each filling has other spectra
        mixed.replace(site, {"O": 0.5, "F": 0.5})
    (tmp_path / "mixed.cif").write_text(str(CifWriter(mixed)))
    given = {"disorder": "random", "element": "Cu", "model": str(model_of()), "files": [str(tmp_path / "mixed.cif")]}
    found = structure_work.predict_spectra(Work(tmp_path, given))
    weights = [int(re.search(r"×(\d+)", row["site"])[1]) for row in found["rows"]]
    curves = [curve["cross_section"] for curve in found["curves"]]
    whole = np.average(curves, axis=0, weights=weights)
    last = np.multiply(weights, [row["site"].startswith("cell4") for row in found["rows"]])
    assert np.abs(np.average(curves, axis=0, weights=last) / whole - 1).max() > 1e-4
    assert found["mean"]["cross_section"] == pytest.approx(whole.tolist(), rel=1e-6)
    cells = {row["key"].split("-")[0]: row["site"].split(" ")[0] for row in found["rows"]}
    assert cells == {str(number): f"cell{number}" for number in range(1, 5)}


def test_work_that_was_started_again_is_not_drawn_before_it_has_spectra():
    spectrum = {"name": "Cu 0", "key": "0-0", "energy": [8979.0, 8980.0], "cross_section": [0.0, 1e-3]}
    drawn = {"id": "a", "title": "a", "result": {"curves": [spectrum]}}
    again = {"id": "b", "title": "b", "result": {}}
    assert len(_figure([drawn, again], "cross_section", with_sites=True)["data"]) == 1


def test_structures_are_found_by_their_elements(page):
    found = page.queue.ask("search_structures", {"words": "", "elements": "Fe, Ti O"})
    formulas = [row[1] for row in found["found"]]
    assert found["number"] >= 2
    assert all({"Fe", "Ti", "O"} <= set(re.findall("[A-Z][a-z]?", each)) for each in formulas)
    with pytest.raises(XanesflowError, match="'Xx' is not an element"):
        page.queue.ask("search_structures", {"words": "", "elements": "Xx"})
    with pytest.raises(XanesflowError, match="Write a part of a name"):
        page.queue.ask("search_structures", {"words": " ", "elements": ""})


def test_the_command_says_what_to_install_where_dash_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("xanesflow.cli.start_app.find_spec", lambda name: None)
    _, _, err = call("app", "--no-browser", "--folder", tmp_path)
    assert "The page needs dash and waitress: install them with `pip install '.[app]'` in the clone." in err


def test_the_server_does_not_wait_for_the_process_that_imports_heavy_libraries(queue, monkeypatch):
    imported = threading.Event()
    slow = SimpleNamespace(Process=lambda target: SimpleNamespace(start=lambda: imported.wait(60)))
    monkeypatch.setattr(queue, "_processes", slow)
    begin = time.monotonic()
    queue.warm_up()
    imported.set()
    assert time.monotonic() - begin < 30
