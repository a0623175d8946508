"""A chunk's finished runs: one zip with Lightshow's tree, and a run.json in the folder of each run."""

from __future__ import annotations

import json
import resource
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.lightshow_tree import place_of
from xanesflow.codes.registry import theory_of
from xanesflow.core import limits
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadRunError, SenselessFileError, XanesflowError
from xanesflow.core.files import atomic_path
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import Site
from xanesflow.core.text import one_line

RECORD = "run.json"


def check_record(run: FinishedRun) -> None:
    """Refuse a run that failed according to its run.json.

    Raises:
        BadRunError: the run failed; holds the reason.
    """
    if run.record.get("outcome") == "failed":
        reason, detail = str(run.record.get("reason")), str(run.record.get("detail"))
        if reason not in REASONS:  # of another version
            reason, detail = "engine_failed", f"{reason}: {detail}"
        raise BadRunError(reason, detail)


class ChunkWriter:
    """Writes the zips of all chunks of a subset at once; they appear together, if the block ends without an error."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._stack = ExitStack()
        self._zips: list[zipfile.ZipFile] = []

    def __enter__(self) -> ChunkWriter:
        _allow_open_files(len(self._paths) + 64)
        for path in self._paths:
            temporary = self._stack.enter_context(atomic_path(path))
            packed = zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
            self._zips.append(self._stack.enter_context(packed))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, chunk: int, name: str, content: bytes) -> None:
        """Put a file into a chunk."""
        add_file(self._zips[chunk], name, content)

    def add_record(self, chunk: int, folder: str, record: Mapping[str, Any]) -> None:
        """Put the run.json of a run into a chunk."""
        self.add(chunk, f"{folder}/{RECORD}", json.dumps(record, indent=1, sort_keys=True).encode())


def add_file(packed: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Put a file into a zip so that the same files give the same bytes: of 1980, and as on Unix."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    packed.writestr(info, content, zipfile.ZIP_DEFLATED)


def _allow_open_files(number: int) -> None:
    """Raise this process's limit of open files, which is often 1024, as far as the system allows.

    Raises:
        XanesflowError: the system allows too few.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in (soft, hard) and hard < number:
        raise XanesflowError(
            f"`chunks` needs {number} files open at once, but this system allows {hard}; set fewer chunks."
        )
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def read_chunk(path: str | Path, theory: str, *, shared: bool = False) -> Iterator[FinishedRun]:
    """Yield the runs of a chunk, sorted by material and site.

    Args:
        path: the zip.
        theory: level of theory of its runs.
        shared: also yield a step that the sites of a material share, before them, as a run of site `WHOLE_MATERIAL`.

    Raises:
        XanesflowError: the file is not a complete zip; names it.
    """
    with _opened(path) as packed:
        runs: dict[tuple[str, int], dict[str, str]] = {}
        records: dict[tuple[str, int], str] = {}
        for name in packed.namelist():
            place = place_of(name, theory, shared=shared)
            if place is None or place.site_index is None:
                continue
            site = (place.material_id, place.site_index)
            if place.file:
                runs.setdefault(site, {})[place.file] = name
            elif name == f"{place.folder}/{RECORD}":
                records[site] = name
        for site in sorted(runs.keys() | records.keys()):
            record = read_record(packed, records[site]) if site in records else {}
            yield FinishedRun(*site, {file: _read(packed, name) for file, name in runs.get(site, {}).items()}, record)


def sites_in_chunk(path: str | Path, theory: str) -> set[Site]:
    """List the sites that have runs in a chunk, from the names in the zip alone.

    Where one run holds all sites of a material (`theory.Theory.one_run`), it is listed instead of them.

    Args:
        path: the zip.
        theory: level of theory of its runs.

    Raises:
        XanesflowError: the file is not a complete zip; names it.
    """
    whole = theory_of(theory).one_run
    with _opened(path) as packed:
        places = [place_of(name, theory, shared=whole) for name in packed.namelist()]
    return {(place.material_id, place.site_index) for place in places if place and place.site_index is not None}


def read_records(path: str | Path, theory: str) -> Iterator[tuple[Site, dict[str, Any]]]:
    """Yield site and run.json of the runs in a zip, without their files, in the zip's order.

    Args:
        path: the zip.
        theory: level of theory of its runs.

    Raises:
        XanesflowError: the file is not a complete zip; names it.
    """
    with _opened(path) as packed:
        for name in packed.namelist():
            folder, _, file = name.rpartition("/")
            place = place_of(folder, theory) if file == RECORD else None
            if place is not None and place.site_index is not None:
                yield (place.material_id, place.site_index), read_record(packed, name)


def read_record(packed: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """Read a run.json, or another record of that form.

    Raises:
        SenselessFileError, BadTextError: it is too large, or no JSON object.
    """
    return parse_object(_read(packed, name, limits.RECORD))


def _read(packed: zipfile.ZipFile, name: str, most: int = limits.RUN_FILE) -> bytes:
    with packed.open(name) as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise SenselessFileError(f"{name[:80]} has more than {most:,} bytes")
    return content


@contextmanager
def _opened(path: str | Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as packed:
            yield packed
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        why = one_line(error) if isinstance(error, zipfile.BadZipFile) else what_is_wrong(error)
        raise XanesflowError(f"{path} is not a whole chunk of runs ({why}); delete it and run again.") from error
