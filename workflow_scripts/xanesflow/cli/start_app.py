"""`xanesflow app`: starts the page's server, and prints its address."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from xanesflow.cli.terminal import print_message, print_result
from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.text import quoted

LOOPBACK = "127.0.0.1"
_SHORTEST_TOKEN = 16
_ALL = ("0.0.0.0", "::")  # addresses that stand for all of this machine's
_NAME = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^][\s/:@?#]+)(:[0-9]+)?")


@dataclass(frozen=True)
class OpenTo:
    """How others than the user may enter."""

    host: str | None  # address to listen at; None: only this machine, only this user
    token: str | None  # what one must know
    names: tuple[str, ...]  # under which browsers find the page, with a port if it is not the usual one

    def check(self) -> None:
        """Check that the options go together.

        Raises:
            WrongCallError: they do not.
        """
        if self.host is None and self.names:
            raise WrongCallError("--name belongs to --host, which opens the page to others; give both or neither.")
        if self.host is not None and self.token is None:
            raise WrongCallError("--host opens the page to others, so it needs --token: what they must know to enter.")
        for name in self.names:
            if not _NAME.fullmatch(name):
                raise WrongCallError(f"--name {quoted(name)} is no name; write the name alone, as xanes.example.org.")
        if self.token is not None and len(self.token) < _SHORTEST_TOKEN:
            raise WrongCallError(f"--token is too short to be safe; use {_SHORTEST_TOKEN} characters or more.")


def start(
    *,
    port: int,
    folder: Path | None,
    campaign: Path | None,
    models: Sequence[str],
    cache: Path | None,
    at_a_time: int,
    browser: bool,
    group: OpenTo,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        port: 0: any free one.
        folder: for uploads and work; None: in the user's cache.
        campaign: working directory; None: the current one, if it has results.
        models: as for `xanesflow predict --model`.
        cache: of computed spectra; None: the user's.
        at_a_time: pieces of work at once.
        browser: whether to open the address.
        group: who else may enter.

    Raises:
        XanesflowError: a package is missing, the port or the folder is taken, the folder holds other files, there is no
            such model, or options do not go together.
    """
    # Check everything that can be wrong before anything listens.
    group.check()
    lacking = [each for each in ("dash", "waitress") if find_spec(each) is None]
    if lacking:
        raise XanesflowError(
            f"The page needs {' and '.join(lacking)}: install them with `pip install '.[app]'` in the clone."
        )
    if campaign is not None and not (campaign / "results").is_dir():
        raise WrongCallError(f"{campaign} has no folder results; name the working directory of a campaign.")
    here = Path.cwd()
    from xanesflow.app.page_folder import prepare_folder
    from xanesflow.app.security import Access
    from xanesflow.app.server import Settings, make_page, one_thread_each, serve
    from xanesflow.core.files import user_cache
    from xanesflow.prediction.builtin_models import PREFIX
    from xanesflow.prediction.find_checkpoints import check_model
    from xanesflow.running.locks import hold_directory

    one_thread_each()
    for each in models:
        check_model(each)

    place = (folder or user_cache() / "app").resolve()
    prepare_folder(place)

    # Hold a port and the folder, which no other page may use at the same time.
    listening = _listen(group.host or LOOPBACK, port)
    port = listening.getsockname()[1]
    with hold_directory(place):
        # Who may enter, and under which names.
        token = group.token or secrets.token_urlsafe(24)
        host = _in_address(group.host or LOOPBACK)
        names = frozenset(each.lower() for each in group.names)
        own = {host.lower(), *names, LOOPBACK, "localhost", "[::1]"}
        hosts = frozenset(each for name in own for each in (name, f"{name}:{port}"))
        access = Access(hosts, token, f"xanesflow_{port}", alone=group.host is None, names=names)

        settings = Settings(
            folder=place, cache=cache and cache.resolve(), at_a_time=at_a_time,
            models=tuple(each if each.startswith(PREFIX) else str(Path(each).resolve()) for each in models),
            campaign=campaign or (here if (here / "results").is_dir() else None),
        )  # fmt: skip
        page = make_page(settings, access)

        # Tell the address, and serve until the end.
        address = f"http://{LOOPBACK if group.host in _ALL else host}:{port}/"
        opened = address if group.token else f"{address}?token={token}"
        print_result(opened)
        print_message("The page is open at this address until you press Ctrl-C.")
        if browser:
            threading.Timer(0.3, webbrowser.open, [opened]).start()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        serve(page, listening)
    print_message("The page is closed; unfinished work can be started again the next time.")


def _in_address(host: str) -> str:
    """A host as it stands in an address of a page: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    """A socket on which the server will listen.

    Raises:
        XanesflowError: the port is taken, or there is no such address.
    """
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name == "posix":
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if host == "::":
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # IPv4 too, whatever the system's default
        found.bind((host, port))
        found.listen()  # who reads the address can connect at once
    except (OSError, OverflowError) as error:
        found.close()
        why = getattr(error, "strerror", None) or error
        raise XanesflowError(f"Nothing can listen at {host}, port {port} ({why}); name another --port.") from None
    return found
