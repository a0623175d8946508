"""The page of `xanesflow app` without a browser: made, and asked by a client that knows its token or does not."""

from __future__ import annotations

from typing import Any

from xanesflow.app.security import Access
from xanesflow.app.server import make_page
from xanesflow.app.shared_page import Page, Settings

TOKEN = "a token that nobody guesses"
COOKIE = "xanesflow_8050"


def page_in(
    folder: Any, *hosts: str, token: str = TOKEN, alone: bool = False, names: tuple[str, ...] = (), **settings: Any
) -> Page:
    """A page whose work and uploads lie in `folder`; close its queue."""
    access = Access(frozenset({*(hosts or ("localhost",)), *names}), token, COOKIE, alone, frozenset(names))
    return make_page(Settings(folder, **settings), access)


def client(page: Page, token: str = TOKEN) -> Any:
    """A browser that entered with a token; without one, a stranger."""
    made = page.app.server.test_client()
    if token:
        assert made.get(f"/?token={token}").status_code == 303
    return made


def session_of(known: Any) -> Any:
    """The session that a client's cookie names."""
    with known.session_transaction() as cookie:
        return cookie["session"]
