"""Who may talk to the page: hosts, origins, a token in the opened address, and a session for each browser."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, redirect, request
from flask import session as cookie

from xanesflow.app.page_folder import SESSION
from xanesflow.core.errors import XanesflowError

COOKIE_DAYS = 30

_SAFE = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Dash writes a script into its page, and plotly compiles shaders; but nothing is ever loaded from elsewhere."""

_DOOR = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>xanesflow</title><body style="font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em">
<h1>xanesflow</h1><p>{sentence}</p><form method="post" action="/enter"><label>Token
<input name="token" type="password" autocomplete="off" required></label> <button>Open</button></form></body></html>"""
_ASK = "Open the address that `xanesflow app` printed, which holds the token, or enter the token here."


@dataclass(frozen=True)
class Access:
    """What a request must show.

    Attributes:
        hosts: allowed `Host` headers, in lower case, with their ports.
        token: must be known to enter.
        cookie: name of the cookie, different for each port.
        alone: whether all who enter are one person, who finds the same work in each browser; else each browser has a
            session of its own.
        names: those of `hosts` from which requests may come although a proxy passes on another, such as without its
            port.
    """

    hosts: frozenset[str]
    token: str
    cookie: str
    alone: bool
    names: frozenset[str] = frozenset()

    def protect(self, server: Flask, secret: str) -> None:
        """Check each request of a server before anything else sees it, and add headers to each answer.

        Args:
            server: the page's.
            secret: signs the cookies; who knows the token must not know it, or could write a cookie of another session.
        """
        server.secret_key = secret
        server.config.update(
            SESSION_COOKIE_NAME=self.cookie, SESSION_COOKIE_SAMESITE="Lax", SESSION_REFRESH_EACH_REQUEST=False,
            PERMANENT_SESSION_LIFETIME=timedelta(days=COOKIE_DAYS),
        )  # fmt: skip
        server.before_request(self._check)

        @server.after_request
        def _(answer: Response) -> Response:
            for name, value in _SAFE.items():
                answer.headers.setdefault(name, value)
            if not request.path.startswith(("/assets/", "/_dash-component-suites/")):
                answer.headers["Cache-Control"] = "no-store"
            return answer

    def _check(self) -> Response | None:
        if request.host.lower() not in self.hosts:
            return Response("This page does not answer under that name.\n", 403, mimetype="text/plain")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() not in {request.host.lower(), *self.names}:
            return Response("Another page sent this request, so it is refused.\n", 403, mimetype="text/plain")
        given = request.args.get("token", "") or (request.form.get("token", "") if request.path == "/enter" else "")
        if not given:
            return None if self._is_known() else _closed(_ASK)
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _closed("This is not the token. " + _ASK)
        cookie.permanent = True
        cookie["entered"] = self._proof()
        if self.alone or not _has_session():
            cookie["session"] = "own" if self.alone else secrets.token_hex(16)
        return cast(Response, redirect("/", 303))

    def _is_known(self) -> bool:
        """Whether the request has the cookie of who entered by this token."""
        entered = str(cookie.get("entered")).encode()
        return hmac.compare_digest(entered, self._proof().encode()) and _has_session()

    def _proof(self) -> str:
        """What the cookie of who entered by this token holds, so that a new token closes the old sessions."""
        return hmac.new(str(current_app.secret_key).encode(), self.token.encode(), "sha256").hexdigest()


def _closed(sentence: str) -> Response:
    return Response(_DOOR.format(sentence=escape(sentence)), 403, mimetype="text/html")


def _has_session() -> bool:
    return bool(SESSION.fullmatch(str(cookie.get("session"))))


def session() -> str:
    """The session of the request that is being answered, which names folders.

    Raises:
        XanesflowError: its cookie holds none.
    """
    if not _has_session():
        raise XanesflowError("This browser has no session; open the address of the page with its token again.")
    return str(cookie["session"])
