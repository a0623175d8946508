"""Requests to compute failed sites again, and only those.

A request is the file `results/simulations/<subset>/retry/<chunk>.json`. It is an input of the rule that simulates the
chunk: because the file is new, Snakemake runs the chunk again, and `finished_runs` then skips every run that a request
names. A run is named by the hash of its own run.json, not by its site. So once the site has been computed again, the
request has no effect, whenever and however often the chunk is made. Nothing is deleted, nothing needs to be tidied up,
and a kill at any moment leaves either no request or a whole one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.files import read_small, sha256_text, write_text
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.reasons import TRIED_AGAIN
from xanesflow.core.sites import chunk_name

log = logging.getLogger(__name__)


def request_path(folder: Path, chunk: int) -> Path:
    """The file with the request for a chunk.

    Args:
        folder: of the subset, `results/simulations/<subset>`.
        chunk: its number.
    """
    return folder / "retry" / f"{chunk_name(chunk)}.json"


def name_run(record: Mapping[str, Any]) -> str:
    """The name of a run in a request: the SHA-256 of its run.json."""
    return sha256_text(json.dumps(record, sort_keys=True))


def write_request(folder: Path, chunk: int, *, again: Mapping[str, str], leave: Iterable[str]) -> None:
    """Request that failed sites of a chunk are computed again.

    Args:
        folder: of the subset.
        chunk: its number.
        again: site -> name of its failed run, for each site to compute again.
        leave: names of failed runs that would be tried again with the chunk (`TRIED_AGAIN`), but should not be.
    """
    request = {"ordered": datetime.now(UTC).isoformat(), "again": dict(sorted(again.items())), "leave": sorted(leave)}
    write_text(request_path(folder, chunk), json.dumps(request, indent=1) + "\n")


def open_request(folder: Path, chunk: int) -> dict[str, str]:
    """What a request names that has not been carried out yet, site -> name of its run; empty if there is none."""
    path = request_path(folder, chunk)
    return _read(path)[0] if _is_open(path, folder, chunk) else {}


class RetryRequests:
    """Which failed runs of a chunk are to be computed again.

    Args:
        folder: of the subset.
        chunk: its number.
    """

    def __init__(self, folder: Path, chunk: int) -> None:
        # Requests of other chunks count too, as sites move between chunks when the number of chunks changes.
        self._again = {
            run for path in sorted((folder / "retry").glob("[0-9]*.json")) for run in _read(path)[0].values()
        }
        path = request_path(folder, chunk)
        # Once the request is carried out, `TRIED_AGAIN` failures are tried again with their chunk as usual.
        self._leave = _read(path)[1] if _is_open(path, folder, chunk) else set[str]()

    def call_for(self, record: Mapping[str, Any]) -> bool:
        """Whether a site whose last run has this run.json is to be computed again."""
        if record.get("outcome") != "failed":
            return False
        name = name_run(record)
        return name in self._again or (record.get("reason") in TRIED_AGAIN and name not in self._leave)


def _is_open(path: Path, folder: Path, chunk: int) -> bool:
    """Whether a request is newer than the chunk's finished runs."""
    times = []
    for each in (path, folder / "kept" / f"{chunk_name(chunk)}.zip"):
        try:
            times.append(each.stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return times[0] > times[1]


def _read(path: Path) -> tuple[dict[str, str], set[str]]:
    try:
        request = parse_object(read_small(path))
        return {str(site): str(reason) for site, reason in request["again"].items()}, set(map(str, request["leave"]))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = what_is_wrong(error)
        log.warning("%s is damaged (%s) and requests nothing; call `xanesflow retry` again.", path, why)
    return {}, set()
