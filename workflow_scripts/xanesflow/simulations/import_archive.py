"""Take finished runs out of an archive: structures, site table and the chunks' zips, in one pass.

The result is what a campaign of our own would have left behind, so all later stages are the same.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from xanesflow import __version__
from xanesflow.codes.archive import MEMBER_LIMIT, Member, gunzip, read_archive
from xanesflow.codes.lightshow_tree import Place, place_of, poscar_path, run_folder
from xanesflow.codes.registry import function_of, importable, theory_of
from xanesflow.codes.run_description import is_file_of
from xanesflow.codes.run_zip import ChunkWriter
from xanesflow.core.errors import XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import (
    MATERIAL_ID,
    MATERIAL_ID_RULE,
    SYMPREC_A,
    WHOLE_MATERIAL,
    Site,
    Subset,
    chunk_of,
    site_id,
)
from xanesflow.core.tables import describe_counts, write_rejected
from xanesflow.core.text import listing, printable
from xanesflow.structures.material import BadStructure, Material, not_the_absorber
from xanesflow.structures.poscar import read_poscar
from xanesflow.structures.site_table import write_site_table, write_structures

log = logging.getLogger(__name__)


@dataclass
class _FoundRun:
    """What the archive holds of one run."""

    root: str
    folder: str
    files: dict[str, dict[str, str | int]] = field(default_factory=dict)  # size in bytes and SHA-256 of each
    problems: list[str] = field(default_factory=list)
    waiting: dict[str, bytes] = field(default_factory=dict)  # files to write if the run counts


class _Inventory:
    """Sorts the archive's members by run as they arrive, and passes the files on to the chunks.

    A run belongs to the POSCAR in its own material folder (its root). If a site has several runs, the first with a
    spectrum counts, so the files of a run wait in memory until its spectrum comes. A material may be in several places
    as long as its structure is the same in all of them.
    """

    def __init__(self, subset: Subset, chunks: int, writer: ChunkWriter) -> None:
        self.element, self.theory, self.chunks, self.writer = subset.element, subset.theory, chunks, writer
        record = theory_of(subset.theory)
        self.limit, self.spectrum_file = record.member_limit or MEMBER_LIMIT, record.spectrum_file
        self.one_run = record.one_run
        self.kept_content = function_of(record.kept_content)
        self.found: dict[Site, dict[str, _FoundRun]] = {}  # the runs of each site by their folders
        self.runs: dict[Site, _FoundRun] = {}  # the one that counts
        self.seconds: dict[tuple[Site, str], _FoundRun] = {}  # runs whose files came a second time
        self.poscars: dict[str, Member] = {}  # by root
        self.bad_ids: set[Site] = set()

    def wanted(self, name: str) -> bool:
        place = self._place(name)
        return place is not None and bool(place.file) and self._is_ours(place)

    def noted(self, name: str) -> bool:
        place = self._place(name)
        return place is not None and self._is_ours(place)

    def _place(self, name: str) -> Place | None:
        return place_of(name, self.theory, shared=True)

    def _is_ours(self, place: Place) -> bool:
        if place.site_index is None:  # the runs of all elements may lie next to one POSCAR
            return True
        return place.element == self.element or (place.element is None and place.site_index == WHOLE_MATERIAL)

    def add(self, member: Member) -> None:
        place = self._place(member.name)
        assert place is not None  # `noted` accepted it
        if not MATERIAL_ID.fullmatch(place.material_id):
            self.bad_ids.add((place.material_id, WHOLE_MATERIAL if place.site_index is None else place.site_index))
            return
        if place.file:
            member = gunzip(member, limit=self.limit)
        if place.site_index is None:
            self.poscars.setdefault(place.root, member)
            return
        site = (place.material_id, place.site_index)
        run = self.found.setdefault(site, {}).setdefault(place.folder, _FoundRun(place.root, place.folder))
        again = place.file in run.files
        if again:
            run = self.seconds.setdefault((site, place.folder), _FoundRun(place.root, place.folder))
        if member.problem and (place.file or member.name == place.folder):
            run.problems.append(f"{place.file or 'the folder'}: {member.problem}")
        if not place.file:
            return
        digest = hashlib.sha256(member.content).hexdigest()
        run.files.setdefault(place.file, {"bytes": len(member.content), "sha256": digest})
        if again or member.problem or self.runs.get(site, run) is not run:
            return
        run.waiting[place.file] = self.kept_content(place.file, member.content) if self.kept_content else member.content
        if site in self.runs or self.has_spectrum(run):
            self._count(site, run)

    def has_spectrum(self, run: _FoundRun) -> bool:
        """Whether the file with the spectrum is there, not empty, and was read."""
        return any(about["bytes"] and is_file_of(file, (self.spectrum_file,)) for file, about in run.files.items())

    def _count(self, site: Site, run: _FoundRun) -> None:
        """Let a run count as that of its site, and write its files."""
        self.runs[site] = run
        for file, content in run.waiting.items():
            self.writer.add(
                chunk_of(site[0], self.chunks), f"{run_folder(self.element, *site, self.theory)}/{file}", content
            )
        for each in self.found[site].values():
            each.waiting.clear()

    def finish(self) -> None:
        """Let the first run count where none has a spectrum."""
        for site, runs in self.found.items():
            if site not in self.runs:
                self._count(site, next(iter(runs.values())))

    def first_roots(self) -> dict[str, str]:
        """For each material the root whose structure counts: that of its first run."""
        roots: dict[str, str] = {}
        for (material_id, _), run in self.of_sites().items():
            roots.setdefault(material_id, run.root)
        return roots

    def of_sites(self) -> dict[Site, _FoundRun]:
        """The runs that have spectra: without the steps that the sites of a material share."""
        return {site: run for site, run in self.runs.items() if (site[1] == WHOLE_MATERIAL) == self.one_run}

    def problems_of_shared(self, material_id: str) -> list[str]:
        """What is wrong with the files of the step that the sites of a material share."""
        run = None if self.one_run else self.runs.get((material_id, WHOLE_MATERIAL))
        return [f"{run.folder.rpartition('/')[2]}: {problem}" for problem in run.problems] if run else []

    def roots_without_run(self) -> dict[str, str]:
        """For each material without any run of the element the root of its first POSCAR, not below another element."""
        with_run = {material_id for material_id, _ in self.of_sites()}
        roots: dict[str, str] = {}
        for root in self.poscars:
            place = self._place(f"{root}/POSCAR")
            if place and place.element in (None, self.element) and place.material_id not in with_run:
                roots.setdefault(place.material_id, root)
        return roots

    def badly_named(self) -> list[Rejected]:
        """Runs and structures in folders that cannot name a material."""
        detail = f"the name of its folder cannot name a material; take {MATERIAL_ID_RULE}"
        with_run = {material_id for material_id, site_index in self.bad_ids if site_index != WHOLE_MATERIAL}
        return [
            Rejected(printable(material_id, 80), site_index, "bad_id", detail)
            for material_id, site_index in sorted(self.bad_ids)
            if site_index != WHOLE_MATERIAL or material_id not in with_run
        ]

    def duplicates(self) -> list[Rejected]:
        """Further runs of a site, with a note on whether their spectrum is the same as that of the one that counts."""
        others = [(site, run) for site, runs in self.found.items() for run in runs.values() if run.files]
        rejected = []
        for site, run in [*others, *((site, run) for (site, _), run in self.seconds.items())]:
            if run is (first := self.runs[site]):
                continue
            spectrum, other = (each.files.get(self.spectrum_file) for each in (first, run))
            same = "the same spectrum" if spectrum and spectrum == other else "not the same spectrum"
            twice = "appears in the archive twice"
            where = twice if run.folder == first.folder else f"{run.folder} is a second run next to {first.folder}"
            rejected.append(Rejected(*site, "duplicate", f"{where}, {same}; the first one with a spectrum counts"))
        return rejected


def import_archive(
    archive: str | Path,
    *,
    subset: str,
    chunks: list[Path],
    structures: Path,
    site_table: Path,
    rejected: Path,
    symprec: float = SYMPREC_A,
    workers: int = 1,
) -> None:
    """Import the finished runs of a subset.

    For VASP, both steps are imported: a material's ground state and its sites' core holes. Their files may be packed
    one by one (`OUTCAR.gz`). POTCAR headers in OUTCAR and projections in vasprun.xml are left out.

    Args:
        archive: folder or packed file with runs in Lightshow's tree.
        subset: such as `Cu_FEFF`.
        chunks: the zip to write for each chunk, in the order of the chunks' numbers.
        structures: Parquet to write, one row for each material with a run.
        site_table: Parquet to write, one row for each site with a run.
        rejected: Parquet to write, with what was found but cannot be used.
        symprec: spglib's tolerance in Å, for the sites' multiplicities.
        workers: processes that read structures.

    Raises:
        XanesflowError: the archive is missing or damaged, it has no run of the subset, or runs of this theory cannot
            be imported.
    """
    parsed = Subset.parse(subset)
    if not theory_of(parsed.theory).importable:
        raise XanesflowError(
            f"{subset}: this version imports runs of {listing(importable())} only; take {subset} out of `subsets`."
        )
    with ChunkWriter(chunks) as writer:
        # One pass over the archive: it may be tens of GB, so the files go straight into the chunks' zips.
        inventory = _Inventory(parsed, len(chunks), writer)
        for member in read_archive(archive, inventory.wanted, inventory.noted, limit=inventory.limit):
            inventory.add(member)
        inventory.finish()
        if not inventory.of_sites():
            raise XanesflowError(
                f"{archive} holds no {parsed.theory} run of {parsed.element}: looked for <element>/<material id>/"
                f"{theory_of(parsed.theory).folder}/{_wanted_folder(inventory)}{inventory.spectrum_file} and found "
                f"{len(inventory.poscars)} POSCAR files."
            )
        # Read each material's structure, and put its POSCAR next to its runs.
        roots = inventory.first_roots()
        without_run = inventory.roots_without_run()
        wanted = {**roots, **without_run}
        materials = _read_structures(inventory.poscars, wanted, symprec=symprec, workers=workers)
        for material_id, root in roots.items():
            if root in inventory.poscars and not inventory.poscars[root].problem:
                path = poscar_path(parsed.element, material_id)
                writer.add(chunk_of(material_id, len(chunks)), path, inventory.poscars[root].content)
        # Give each run a run.json, and sort out the runs that belong to no site or to another structure.
        left_out = [*inventory.duplicates(), *inventory.badly_named()]
        sites: list[tuple[Material, int]] = []
        for (material_id, site_index), run in inventory.runs.items():
            record = {
                "code": "imported", "xanesflow": __version__, "source": run.folder, "files": run.files,
                "problems": run.problems,
            }  # fmt: skip
            folder = run_folder(parsed.element, material_id, site_index, parsed.theory)
            writer.add_record(chunk_of(material_id, len(chunks)), folder, record)
            if (site_index == WHOLE_MATERIAL) != inventory.one_run:
                continue
            problems = [*run.problems, *inventory.problems_of_shared(material_id)]
            checked = _check_run(parsed, (material_id, site_index), problems, materials.get(material_id))
            other = _other_structure(inventory, run, roots[material_id])
            if isinstance(checked, Rejected):
                left_out.append(checked)
            elif other:
                left_out.append(Rejected(material_id, site_index, "other_structure", other))
            else:
                found = checked.inequivalent(parsed.element) if inventory.one_run else [site_index]
                sites += [(checked, each) for each in found]
    sites, equivalent = _one_of_each_kind(inventory, sites)
    left_out += equivalent
    left_out += _materials_without_run([materials[m] for m in without_run], parsed)
    write_structures(structures, {m.material_id: m for m, _ in sites}.values())
    # No costs: the runs are done, and estimating what they would take would slow the import down.
    write_site_table(site_table, sites, chunks=len(chunks))
    write_rejected(rejected, left_out)
    for material in materials.values():
        if isinstance(material, Material) and material.note:
            log.warning("%s: %s", material.material_id, material.note)
    _report_missing_sites(sites, left_out, parsed.element)
    log.info("%s from %s: %s", subset, archive, describe_counts(len(sites), left_out, what=("run", "runs")))


def _read_structures(
    poscars: dict[str, Member], roots: dict[str, str], *, symprec: float, workers: int
) -> dict[str, Material | BadStructure]:
    """The structure of each material with a POSCAR at its root, by material id."""
    members = {material_id: poscars[root] for material_id, root in roots.items() if root in poscars}
    texts = [(material_id, member.content) for material_id, member in members.items() if not member.problem]
    materials = map_in_processes(partial(_read_one, symprec=symprec), texts, workers)
    read = {material.material_id: material for material in materials}
    unread = {k: BadStructure(k, f"POSCAR: {m.problem}") for k, m in members.items() if m.problem}
    return read | unread


def _read_one(poscar: tuple[str, bytes], *, symprec: float) -> Material | BadStructure:
    return read_poscar(*poscar, symprec=symprec)


def _check_run(
    subset: Subset, site: Site, problems: list[str], material: Material | BadStructure | None
) -> Material | Rejected:
    """Check that a run's site exists and is the absorber; the next stage checks its spectrum."""
    if material is None:
        detail = f"there is no POSCAR next to its {theory_of(subset.theory).folder} folder"
        return Rejected(*site, "no_structure", detail)
    if isinstance(material, BadStructure):
        return Rejected(*site, "no_structure", material.detail)
    if problems:
        return Rejected(*site, "unsafe_file", "; ".join(problems))
    _, site_index = site
    if site_index == WHOLE_MATERIAL:
        detail = "" if subset.element in material.elements else f"its structure has no {subset.element}"
    else:
        detail = not_the_absorber(material.elements, site_index, subset.element)
    return Rejected(*site, "wrong_absorber", detail) if detail else material


def _wanted_folder(inventory: _Inventory) -> str:
    """The folder of a run below that of its code, for a message."""
    folder = theory_of(inventory.theory).shared_folder if inventory.one_run else "<site>_{element}"
    return "" if folder == "." else folder.replace("{element}", inventory.element) + "/"


def _other_structure(inventory: _Inventory, run: _FoundRun, root: str) -> str:
    """Why a run belongs to another structure than its material's; empty if it does not."""
    if run.root == root:
        return ""
    ours, first = inventory.poscars.get(run.root), inventory.poscars.get(root)
    if ours and first and ours.content == first.content:
        return ""
    return f"POSCAR in {run.root} differs from the one in {root}, which counts"


def _one_of_each_kind(
    inventory: _Inventory, sites: list[tuple[Material, int]]
) -> tuple[list[tuple[Material, int]], list[Rejected]]:
    """Keep one run of equivalent atoms, since its multiplicity counts them all: the lowest site with a spectrum."""

    def order(site: tuple[Material, int]) -> tuple[str, bool, int]:
        run = inventory.runs.get((site[0].material_id, site[1]))
        return site[0].material_id, run is not None and not inventory.has_spectrum(run), site[1]

    kept: dict[Site, tuple[Material, int]] = {}
    rejected = []
    for material, site_index in sorted(sites, key=order):
        first = kept.setdefault((material.material_id, material.equivalent[site_index]), (material, site_index))[1]
        if first != site_index:
            detail = f"it is equivalent to site {first}, whose run counts"
            rejected.append(Rejected(material.material_id, site_index, "duplicate", detail))
    return list(kept.values()), rejected


def _materials_without_run(materials: list[Material | BadStructure], subset: Subset) -> list[Rejected]:
    rejected = []
    for material in materials:
        if isinstance(material, BadStructure):
            rejected.append(Rejected(material.material_id, -1, "no_structure", material.detail))
        elif subset.element in material.elements:
            detail = f"POSCAR is there, but no {subset.theory} run of {subset.element}"
            rejected.append(Rejected(material.material_id, -1, "no_run", detail))
    return rejected


def _report_missing_sites(sites: list[tuple[Material, int]], rejected: list[Rejected], element: str) -> None:
    """Log the inequivalent absorbers of imported materials that have no run folder in the archive."""
    found: dict[str, set[int]] = {}
    for material, site_index in sites:
        found.setdefault(material.material_id, set()).add(material.equivalent[site_index])
    accounted = {(r.material_id, r.site_index) for r in rejected}
    missing = [
        site_id(material.material_id, kind)
        for material in {m.material_id: m for m, _ in sites}.values()
        for kind in material.inequivalent(element)
        if kind not in found[material.material_id] and (material.material_id, kind) not in accounted
    ]
    if missing:
        log.warning("%d inequivalent sites have no run in the archive: %s", len(missing), ", ".join(missing))
