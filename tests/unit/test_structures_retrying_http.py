"""What Materials Project may answer instead: each is borne with patience, or told in one sentence without the key."""

import socket
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from materials_project_data import COPPER, QUICK, ask, documents, query
from materials_project_server import KEY, broken_off, serving, silence, status, trickle, truncated
from processes import SPAWN, until

from xanesflow.core.errors import XanesflowError


def told(server, folder, **options):
    with pytest.raises(XanesflowError) as caught:
        ask(server, folder, **options)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


FAULTS = {
    "429": (status(429), "answered HTTP 429 (Too Many Requests)"),
    "500": (status(500), "answered HTTP 500 (Internal Server Error)"),
    "502": (status(502), "answered HTTP 502"),
    "503": (status(503), "answered HTTP 503"),
    "504": (status(504), "answered HTTP 504"),
    "truncated JSON": (truncated, "sent an answer that is cut off or not JSON"),
    "broken off": (broken_off, "broke off"),
    "a slow trickle": (trickle, "did not finish an answer within 0.6 s"),
    "silence": (silence, "was silent for 0.4 s"),
}


@pytest.mark.parametrize(("fault", "said"), FAULTS.values(), ids=FAULTS)
def test_a_passing_fault_is_borne(server, tmp_path, caplog, fault, said):
    server.faults, server.heartbeats = [fault] * 2, [fault]
    assert sorted(ask(server, tmp_path).materials) == COPPER
    assert caplog.text.count(said) == 3
    assert "trying again in" in caplog.text


@pytest.mark.parametrize(("fault", "said"), FAULTS.values(), ids=FAULTS)
def test_a_lasting_fault_is_told_after_as_many_attempts_as_there_are(server, tmp_path, fault, said):
    server.faults = [fault] * 100
    sentence = told(server, tmp_path)
    assert f"Materials Project {said}" in sentence
    assert "4 times in a row; try again later: the same command continues" in sentence
    assert 100 - len(server.faults) == QUICK.attempts


@pytest.mark.parametrize("wait", ["1", "date"])
def test_it_waits_as_long_as_the_server_asks(server, tmp_path, wait):
    begun = time.monotonic()
    server.faults = [status(429, retry_after=formatdate(time.time() + 3, usegmt=True) if wait == "date" else wait)]
    ask(server, tmp_path)
    assert time.monotonic() - begun >= 1


LASTING = {
    "a wait beyond reason": (status(429, retry_after="3600"), "asks to wait 3600 s; try again then"),
    "a question that the server does not know": (status(400, "no such system"), "does not answer as its client mp-api"),
    "no key": (status(401), "refuses the API key (HTTP 401); copy the one from your dashboard"),
    "a refused key": (status(403), "refuses the API key (HTTP 403); copy the one from your dashboard"),
}


@pytest.mark.parametrize(("answer", "said"), LASTING.values(), ids=LASTING)
def test_what_another_attempt_would_not_change_is_told_at_once(server, tmp_path, answer, said):
    server.faults = [answer] * 9
    assert said in told(server, tmp_path)
    assert len(server.faults) == 8


def test_a_key_that_is_none_is_told_before_anything_is_asked(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MP_API_KEY", "too-short")
    sentence = told(server, tmp_path)
    assert "MP_API_KEY" in sentence and "32 characters" in sentence and "too-short" not in sentence
    assert server.asked == 0


def test_no_key_is_told_before_anything_is_asked(server, tmp_path, monkeypatch):
    monkeypatch.delenv("MP_API_KEY")
    monkeypatch.setitem(pytest.importorskip("pymatgen.core").SETTINGS, "PMG_MAPI_KEY", None)
    assert "there is no API key for it" in told(server, tmp_path)
    assert server.asked == 0


def test_the_key_of_pymatgens_settings_serves_too(server, tmp_path, monkeypatch):
    monkeypatch.delenv("MP_API_KEY")
    monkeypatch.setitem(pytest.importorskip("pymatgen.core").SETTINGS, "PMG_MAPI_KEY", KEY)
    assert sorted(ask(server, tmp_path).materials) == COPPER


def test_no_network_is_told(server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sentence = told(server, tmp_path, endpoint=f"http://127.0.0.1:{port}/")
    assert f"cannot be reached at 127.0.0.1:{port} (Connection refused), 4 times in a row" in sentence


def test_a_name_that_nobody_knows_is_told(server, tmp_path):
    assert "cannot be reached at materials.invalid" in told(server, tmp_path, endpoint="http://materials.invalid/")


def test_another_service_at_the_address_is_told(server, tmp_path):
    def other(handler, _):
        handler.reply(200, b'{"hello": "world"}')

    server.heartbeats = [other]
    assert "does not answer as Materials Project does" in told(server, tmp_path)


def test_the_clients_own_heartbeat_may_fail_for_a_while(server, tmp_path):
    server.heartbeats = [None, status(500), status(502), None, truncated]
    assert sorted(ask(server, tmp_path).materials) == COPPER


def test_the_key_is_not_shown_to_another_host(server, tmp_path):
    with serving(documents()) as other:
        server.faults = [status(307, location=f"{other.endpoint}materials/summary/")]
        assert "redirects to 127.0.0.1" in told(server, tmp_path)
        assert other.asked == 0


def test_pages_of_another_query_or_database_are_not_used(server, tmp_path):
    server.faults = [*[None] * 5, *[status(500)] * 4]
    told(server, tmp_path)
    server.version = "2027.01.01"
    server.questions.clear()
    ask(server, tmp_path)
    assert len(server.systems_asked()) == 4
    assert [each for page in server.structures_asked() for each in page] == COPPER


def test_a_killed_download_goes_on_where_it_was(server, tmp_path):
    reached = []

    def hang(handler, _):
        reached.append(True)
        handler.server.closing.wait(30)

    server.faults = [*[None] * 5, hang]
    process = SPAWN.Process(target=ask, args=(SimpleNamespace(endpoint=server.endpoint), tmp_path))
    process.start()
    until(lambda: reached, seconds=120)
    process.kill()
    process.join()
    assert not (tmp_path / "Cu.json").exists()
    server.faults = []
    server.questions.clear()
    assert sorted(ask(server, tmp_path, query()).materials) == COPPER
    assert server.systems_asked() == []
    assert server.structures_asked() == [COPPER[3:6], COPPER[6:]]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["Cu.json", "Cu.parquet"]
