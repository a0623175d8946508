"""Where a chunk keeps its finished runs, during its job and afterwards, so that none is computed twice.

Each run is written at once to a zip of its own, `kept/<chunk>/<site>.zip`. When the chunk is complete, all runs are
packed into its output, and `kept/<chunk>.zip` becomes a second name of that file (a hard link). Snakemake deletes the
output before it makes it again; the runs are then read under the second name. A run is reused if its zip is whole and
the hash in its run.json is that of the site's input. A step that the sites of a material share is kept as a run of its
own.

The output holds only the sites that are planned now. When the list of sites or the site table shrinks, the runs of the
others go to `kept/<chunk>_rest.zip`, and come back when their sites do.

The run.json in these zips is the one record of what became of a site: failed.csv, `xanesflow retry`, the report and a
lost progress file are made from it. A second record, a line for each site that ends, was considered and left out. A
kill between a run and its line would have to be repaired from the zips, so all that reads them would stay, and the
progress files, which only count, are smaller and quicker to read than a line for each of 80,000 sites.
"""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.lightshow_tree import place_of, run_folder
from xanesflow.codes.run_zip import RECORD, ChunkWriter, read_record, read_records
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import atomic_path, temporary_name
from xanesflow.core.sites import Site, Subset, chunk_name, site_id
from xanesflow.simulations.state.progress import RunOutcome, outcome_of
from xanesflow.simulations.state.retry_requests import RetryRequests

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError, NotImplementedError, OSError)


class FinishedRuns:
    """The finished runs of one chunk.

    Args:
        folder: of all chunks of the subset, `results/simulations/<subset>/kept`.
        subset: the subset.
        chunk: its number.
    """

    def __init__(self, folder: Path, subset: Subset, chunk: int) -> None:
        self.folder, self.subset, self.chunk = folder, subset, chunk
        self.packed = folder / f"{chunk_name(chunk)}.zip"
        self.rest = folder / f"{chunk_name(chunk)}_rest.zip"  # finished runs of sites that are not planned now
        self.singles = folder / chunk_name(chunk)
        self._retry_requests = RetryRequests(folder.parent, chunk)
        self.outcomes: dict[Site, RunOutcome] = {}  # of the runs that `find` found

    def find(self, wanted: Mapping[Site, str]) -> dict[Site, Path]:
        """Find the zips of those sites that need not be computed again.

        When the number of chunks changes, sites move to other chunks, and their runs move with them. A site that is
        planned again has its run in `rest`.

        Args:
            wanted: site -> hash of its input.
        """
        found = self._good(self.packed, wanted) | self._in_singles(wanted)
        for path in self._elsewhere(wanted.keys() - found.keys()):
            missing = {site: wanted[site] for site in wanted.keys() - found.keys()}
            # Copied at once, as another chunk may be running and drop them.
            found |= {run.site: self.put(run) for run in self._good_runs(path, missing)}
        # If the other chunk has just dropped a run, it handed it over before that.
        return found | self._in_singles({site: wanted[site] for site in wanted.keys() - found.keys()})

    def put(self, run: FinishedRun) -> Path:
        """Keep a run, and return its zip."""
        path = self._single(run.site, self.chunk)
        with ChunkWriter([path]) as writer:
            self.write(writer, run)
        return path

    def write(self, writer: ChunkWriter, run: FinishedRun) -> None:
        """Add a run to a zip."""
        folder = self._folder(run.site)
        for name in sorted(run.files):
            writer.add(0, f"{folder}/{name}", run.files[name])
        writer.add_record(0, folder, run.record)

    def read(self, places: Mapping[Site, Path]) -> Iterator[FinishedRun]:
        """Yield runs, in the order of `places`.

        Raises:
            XanesflowError: a zip was changed since `find` found it good.
        """
        with ExitStack() as stack:
            last: zipfile.ZipFile | None = None
            for site, path in places.items():
                if last is None or last.filename != os.fspath(path):
                    stack.close()
                    last = stack.enter_context(zipfile.ZipFile(path))
                run = self._read(last, site)
                if run is None:
                    raise XanesflowError(f"{path} was changed while it was read; run again.")
                yield run

    def settle(self, output: Path, chunk_of_site: Mapping[Site, int]) -> None:
        """Keep the chunk's finished output, in place of single runs and of an older output, and lose no other run.

        Args:
            output: zip with the runs of all planned sites of the chunk.
            chunk_of_site: all sites of the subset; runs whose site moved to another chunk are handed to that one.
        """
        # Find the runs that the output lacks; of several runs of a site, the newest counts.
        there, before = self._sites(output), self._sites(self.rest)
        left = dict.fromkeys(before - there, self.rest)
        for path in (self.packed, *sorted(self.singles.glob("[!.]*.zip"))):
            left |= dict.fromkeys(self._sites(path) - there, path)
        # Hand over those of sites that moved to other chunks. The others were taken off the list or the site table.
        moved = {site for site in left if chunk_of_site.get(site, self.chunk) != self.chunk}
        for run in self._runs_in(left, moved):
            single = self._single(run.site, chunk_of_site[run.site])
            if not single.exists():
                with ChunkWriter([single]) as writer:
                    self.write(writer, run)
        rest = left.keys() - moved
        if not rest:
            self.rest.unlink(missing_ok=True)
        elif rest != before or any(left[site] != self.rest for site in rest):
            with ChunkWriter([self.rest]) as writer:
                for run in self._runs_in(left, rest):
                    self.write(writer, run)
        # Give the output its second name; a kill in between leaves the old file or the new one.
        self.folder.mkdir(parents=True, exist_ok=True)
        for target in (self.packed, self.rest):
            for leftover in self.folder.glob(temporary_name(target, "*")):
                leftover.unlink(missing_ok=True)
        temporary = self.packed.with_name(temporary_name(self.packed, secrets.token_hex(4)))
        try:
            os.link(output, temporary)
            temporary.replace(self.packed)
        except OSError:  # a file system without hard links
            with atomic_path(self.packed) as copy:
                shutil.copyfile(output, copy)
        temporary.unlink(missing_ok=True)  # rename does nothing if both are names of one file
        shutil.rmtree(self.singles, ignore_errors=True)

    def _folder(self, site: Site) -> str:
        return run_folder(self.subset.element, *site, self.subset.theory)

    def _single(self, site: Site, chunk: int) -> Path:
        return self.folder / chunk_name(chunk) / f"{site_id(*site)}.zip"

    def _in_singles(self, wanted: Mapping[Site, str]) -> dict[Site, Path]:
        found: dict[Site, Path] = {}
        for site, digest in wanted.items():
            found |= self._good(self._single(site, self.chunk), {site: digest})
        return found

    def _elsewhere(self, missing: Iterable[Site]) -> list[Path]:
        """Zips of other chunks, and all those named `rest`, that may hold a missing site."""
        names = {site_id(*site) for site in missing}
        singles = (path for path in self.folder.glob("[0-9]*/[!.]*.zip") if path.stem in names)
        paths = {*self.folder.glob("[0-9]*.zip"), *singles} if names else set()
        return sorted(path for path in paths if path != self.packed and path.parent != self.singles)

    def _good(self, path: Path, wanted: Mapping[Site, str]) -> dict[Site, Path]:
        return {run.site: path for run in self._good_runs(path, wanted)}

    def _good_runs(self, path: Path, wanted: Mapping[Site, str]) -> Iterator[FinishedRun]:
        """The whole runs in a zip that have this input and are not to be tried again."""
        for run in self._runs(path, wanted):
            if run.record.get("input_sha256") == wanted[run.site] and not self._retry_requests.call_for(run.record):
                self.outcomes[run.site] = outcome_of(run.record)
                yield run

    def _runs_in(self, places: Mapping[Site, Path], sites: Iterable[Site]) -> Iterator[FinishedRun]:
        """The whole runs of some sites, zip by zip."""
        by_path: dict[Path, list[Site]] = {}
        for site in sites:
            by_path.setdefault(places[site], []).append(site)
        for path in sorted(by_path):
            yield from self._runs(path, by_path[path])

    def _sites(self, path: Path) -> set[Site]:
        """Sites that have a run in a zip, shared steps included; none if the zip is missing or damaged."""
        try:
            with zipfile.ZipFile(path) as packed:
                folders = [name.removesuffix(f"/{RECORD}") for name in packed.namelist() if name.endswith(f"/{RECORD}")]
        except (zipfile.BadZipFile, OSError):
            return set()
        places = [place_of(folder, self.subset.theory, shared=True) for folder in folders]
        return {(place.material_id, place.site_index) for place in places if place and place.site_index is not None}

    def _runs(self, path: Path, sites: Iterable[Site]) -> Iterator[FinishedRun]:
        """The whole runs of some sites in a zip; none if the zip is missing or damaged."""
        try:
            packed = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError):
            return
        with packed:
            names = set(packed.namelist())
            for site in sorted(sites):
                if f"{self._folder(site)}/{RECORD}" in names and (run := self._read(packed, site)):
                    yield run

    def _read(self, packed: zipfile.ZipFile, site: Site) -> FinishedRun | None:
        folder = self._folder(site)
        try:
            record = read_record(packed, f"{folder}/{RECORD}")
            return FinishedRun(*site, {name: packed.read(f"{folder}/{name}") for name in record["files"]}, record)
        except _DAMAGED:
            return None


def newest_records(folder: Path, chunk: int, theory: str, sites: Iterable[Site]) -> dict[Site, dict[str, Any]]:
    """The run.json of each site's newest finished run, whether or not the chunk is packed.

    The newest is the one that began last: another chunk may have handed over an older one after this chunk was packed.

    Args:
        folder: of the subset, `results/simulations/<subset>`.
        chunk: its number.
        theory: level of theory of the runs.
        sites: all sites of the chunk; others that its zips hold are left out.

    Raises:
        XanesflowError: a file is not a whole zip; names it.
    """
    name, wanted = chunk_name(chunk), set(sites)
    packed = [path for path in (folder / f"kept/{name}.zip", folder / f"{name}.zip") if path.exists()]
    records: dict[Site, dict[str, Any]] = {}
    for path in (*packed[:1], *sorted(folder.glob(f"kept/{name}/[!.]*.zip"))):
        for site, record in read_records(path, theory):
            if site in wanted and _began(record) >= _began(records.get(site, {})):
                records[site] = record
    return records


def _began(record: Mapping[str, Any]) -> str:
    """When a run began, in UTC as `2026-01-31T12:00:00+00:00`; empty if it is not recorded."""
    return str(record.get("started", ""))
