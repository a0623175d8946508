"""What all views of the page share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dash import Dash

from xanesflow.app.uploads import Uploads
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
        most: unfinished pieces of work of a session.
    """

    folder: Path
    cache: Path | None = None
    campaign: Path | None = None
    models: tuple[str, ...] = ()
    at_a_time: int = 1
    most: int = 20


@dataclass(frozen=True)
class Page:
    """What views get."""

    app: Dash
    queue: WorkQueue
    uploads: Uploads
    settings: Settings
