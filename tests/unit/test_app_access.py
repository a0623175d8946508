"""Who may enter the page, and what becomes of a folder that is not its own."""

import hmac
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from command_line import call
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from pages import COOKIE, TOKEN, client, page_in, session_of

from xanesflow.app.page_folder import prepare_folder
from xanesflow.core.errors import XanesflowError


@pytest.fixture
def page(tmp_path):
    made = page_in(tmp_path / "app", "localhost", "localhost:8050")
    yield made
    made.queue.close()


def written_cookie(key, **said):
    """The cookie of a page as one would write it who knows, or guesses, the key that signs it."""
    forged = Flask("forged")
    forged.secret_key = key
    return SecureCookieSessionInterface().get_signing_serializer(forged).dumps({"_permanent": True, **said})


@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/assets/app.js", "/download/a/b", "/campaign/report"])
def test_nothing_is_shown_without_the_token(page, path):
    stranger = client(page, token="")
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert b"enter the token" in answer.data
    assert stranger.get("/?token=wrong").status_code == 403
    stranger.set_cookie(COOKIE, "own.0123456789abcdef", domain="localhost")
    assert stranger.get(path).status_code == 403


def test_the_token_opens_the_page_and_does_not_stay_in_the_address(page):
    answer = client(page, token="").get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    posted = client(page, token="").post("/enter", data={"token": TOKEN})
    assert posted.status_code == 303


@pytest.mark.parametrize("session", ["../../../victim", "own", "f" * 32])
def test_who_knows_the_token_cannot_write_a_cookie(page, tmp_path, session):
    entered = hmac.new(TOKEN.encode(), TOKEN.encode(), "sha256").hexdigest()
    stranger = client(page, token="")
    stranger.set_cookie(COOKIE, written_cookie(TOKEN, session=session, entered=entered), domain="localhost")
    assert stranger.post("/upload/structure?name=a", data=b"x").status_code == 403
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("session", ["../../../victim", "", "F" * 32, "f" * 31, "own/..", "own\n", None, 7])
def test_a_session_that_the_page_does_not_give_is_refused_and_replaced(page, session):
    known = client(page)
    with known.session_transaction() as cookie:
        cookie["session"] = session
    assert known.post("/upload/structure?name=a", data=b"x").status_code == 403
    assert known.get(f"/?token={TOKEN}").status_code == 303
    assert re.fullmatch("[0-9a-f]{32}", session_of(known))


def test_a_new_token_closes_old_sessions_and_the_same_one_keeps_them(tmp_path):
    page = page_in(tmp_path / "app")
    page.queue.close()
    first = client(page)
    session, cookie = session_of(first), first.get_cookie(COOKIE).value
    for token, status in ((TOKEN, 200), ("another token, long enough", 403)):
        page = page_in(tmp_path / "app", token=token)
        page.queue.close()
        known = client(page, token="")
        known.set_cookie(COOKIE, cookie, domain="localhost")
        assert known.get("/").status_code == status
        assert known.get(f"/?token={token}").status_code == 303
        assert session_of(known) == session  # one's own work is there again
    secret = tmp_path / "app" / ".xanesflow-app"
    assert secret.stat().st_mode & 0o777 == 0o600 and secret.parent.stat().st_mode & 0o777 == 0o700
    assert len(secret.read_text()) == 64 and TOKEN not in secret.read_text()


def test_a_proxy_may_hide_the_port_of_a_name_that_the_command_was_given(tmp_path):
    page = page_in(tmp_path / "app", "localhost:8050", names=("xanes.example.org:8443", "xanes.example.org"))
    page.queue.close()
    known = page.app.server.test_client()
    for origin, status in (("xanes.example.org:8443", 303), ("xanes.example.org", 303), ("localhost:8050", 403)):
        headers = {"Host": "xanes.example.org", "Origin": f"https://{origin}"}
        assert known.post("/enter", data={"token": TOKEN}, headers=headers).status_code == status


def test_other_names_and_other_pages_are_refused(page):
    known = client(page)
    assert known.get("/").status_code == 200
    assert known.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert known.get("/", headers={"Host": "127.0.0.1:9999"}).status_code == 403
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost", "http://localhost:80"):
        headers = {"Origin": origin, "Host": "localhost:8050"}
        assert known.post("/_dash-update-component", json={}, headers=headers).status_code == 403
    headers = {"Origin": "http://localhost:8050", "Host": "localhost:8050"}
    assert known.post("/upload/structure?name=a", data=b"", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "needs --token"),
        (["--host", "0.0.0.0", "--token", "short"], "16 characters or more"),
        (["--name", "x.example.org"], "--name belongs to --host"),
        (["--campaign", "nowhere"], "nowhere has no folder results"),
        (["--host", "203.0.113.7", "--token", "x" * 20], "Nothing can listen at 203.0.113.7"),
        (["--model", "nothere"], "There is no model nothere; name a checkpoint"),
        (["--model", "/etc"], "The folder /etc holds no model; name a checkpoint"),
        (["--model", __file__], "test_app_access.py is no checkpoint (it is no file of tensors"),
        (["--model", "builtin:Xx_FEFF"], "No model builtin:Xx_FEFF comes with xanesflow"),
        *(
            (
                ["--host", "127.0.0.1", "--token", "x" * 20, "--name", name],
                f"--name '{name}' is no name; write the name",
            )
            for name in ("https://xanes.example.org/", "xanes.example.org/", "xanes example", "", "//x", "x:y", "u@x")
        ),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(arguments, said, tmp_path):
    code, _, err = call("app", "--no-browser", "--folder", tmp_path, *arguments)
    assert code in (1, 2) and said in err
    assert not list(tmp_path.iterdir())


OLD = time.time() - 86400 * 400


def old_files(folder, *names):
    """Files that are older than all that a page keeps."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    for path in folder.rglob("*"):
        os.utime(path, (OLD, OLD))


MINE = ("work/thesis/chapter.txt", "uploads/2023/scans/a.dat", "uploads/own/scans/b.dat", f"uploads/2023/{'0' * 32}/c")


@pytest.mark.parametrize("name", [*MINE, "notes.txt", "work/notes.txt", "uploads/notes.txt"])
def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(tmp_path, name):
    old_files(tmp_path, name)
    code, out, err = call("app", "--no-browser", "--port", 0, "--folder", tmp_path)
    assert (code, out) == (1, "") and f"{tmp_path} holds other files; name a new or empty folder" in " ".join(
        err.split()
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]
    with pytest.raises(XanesflowError, match="is a file; name a new or empty folder"):
        prepare_folder(tmp_path / name)


def test_a_page_removes_only_what_it_made(tmp_path):
    ours = (f"work/{'1' * 32}/job.json", f"work/ask-{'2' * 32}/left/x", f"uploads/own/{'3' * 32}/a.dat")
    old_files(tmp_path, *ours)
    prepare_folder(tmp_path)  # of a version that marked no folder
    old_files(tmp_path, *ours, *MINE)
    page = page_in(tmp_path, alone=True)
    page.uploads.forget()
    page.queue.close()
    prepare_folder(tmp_path)  # marked now
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted([".xanesflow-app", *MINE])


@pytest.mark.parametrize(("host", "address"), [("::1", "[::1]"), ("::", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_the_page_answers_at_the_address_that_it_prints(tmp_path, host, address):
    if not socket.has_ipv6 or (host == "::1" and not Path("/proc/net/if_inet6").is_file()):
        pytest.skip("this machine has no IPv6")
    words = [sys.executable, "-m", "xanesflow", "app", "--no-browser", "--folder", "state", "--port", "0"]
    server = subprocess.Popen(
        [*words, "--host", host, "--token", TOKEN], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        printed = server.stdout.readline().strip()
        assert re.fullmatch(re.escape(f"http://{address}:") + "[0-9]+/", printed)
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(printed, timeout=60)
        assert "enter the token here" in refused.value.read().decode()
    finally:
        server.terminate()
        server.wait(30)
