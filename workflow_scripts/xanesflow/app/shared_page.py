"""What all views of the page share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from dash import Dash, set_props

from xanesflow.app.security import session
from xanesflow.app.uploads import Uploads
from xanesflow.core.errors import sentence_about
from xanesflow.running.work_queue import WorkQueue


@dataclass(frozen=True)
class Settings:
    """What the command says.

    Attributes:
        folder: where uploads and work are kept; nothing else is written, but computed spectra in `cache`.
        cache: of computed spectra, as for `xanesflow match`; None: the user's.
        campaign: working directory of the campaign that is shown; None: none.
        models: checkpoints and folders that may predict, by the words that `xanesflow predict --model` takes.
        at_a_time: pieces of work at once.
    """

    folder: Path
    cache: Path | None = None
    campaign: Path | None = None
    models: tuple[str, ...] = ()
    at_a_time: int = 1


@dataclass(frozen=True)
class Page:
    """What views get."""

    app: Dash
    queue: WorkQueue
    uploads: Uploads
    settings: Settings
    alone: bool  # whether all who enter are one person, as `security.Access` has it

    def callback(self, *what: Any, error: str, **more: Any) -> Callable[[Callable[..., Any]], Any]:
        """As Dash's `callback`; the sentence about an error goes into the element `error`, and nothing else changes."""

        def say(sentence: str) -> None:
            set_props(error, {"children": sentence})

        def register(function: Callable[..., Any]) -> Any:
            @wraps(function)
            def called(*given: Any, **named: Any) -> Any:
                say("")
                return function(*given, **named)

            return self.app.callback(*what, on_error=lambda raised: say(sentence_about(raised)), **more)(called)

        return register

    def paths(self, files: Sequence[Mapping[str, str]] | None) -> list[Path]:
        """The files that a store of a `pieces.drop` holds.

        Raises:
            XanesflowError: one is not kept any more.
        """
        return [self.uploads.path(session(), each["id"]) for each in files or ()]

    def add(self, kind: str, title: str, given: dict[str, Any], files: Mapping[str, Sequence[Path]]) -> None:
        """Put work into the queue, and show it; see `WorkQueue.add`."""
        job = self.queue.add(session(), kind, title, given, files)
        set_props("acted", {"data": job.id})

    def jobs(self, kinds: Sequence[str]) -> list[dict[str, Any]]:
        """The session's jobs of these kinds as `WorkQueue.shown` has them, with `result` and `files` so far."""
        own = [job for job in self.queue.shown(session()) if job["kind"] in kinds]
        return [
            {
                **job,
                "result": self.queue.result(session(), job["id"]),
                "files": list(self.queue.files(session(), job["id"])),
            }
            for job in own
        ]
