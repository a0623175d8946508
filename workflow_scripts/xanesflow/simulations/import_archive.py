"""Take finished runs out of an archive: structures, site table and the chunks' zips, in one pass.

What is imported is what a campaign of our own would have left in their place, so that all later stages are the same.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from xanesflow import __version__
from xanesflow.errors import XanesflowError
from xanesflow.parallel import map_in_processes
from xanesflow.reasons import Rejected
from xanesflow.simulations.archive import Member, read_archive
from xanesflow.simulations.chunks import ChunkWriter
from xanesflow.simulations.layout import Place, place_of, poscar_path, run_folder
from xanesflow.sites import Subset, chunk_of
from xanesflow.structures.sites import BadStructure, Material, read_poscar, write_site_table, write_structures
from xanesflow.tables import describe_counts, write_rejected

log = logging.getLogger(__name__)

_BATCH = 64  # structures sent to a worker at once


@dataclass
class _FoundRun:
    """What the archive holds of one run: for each file its size and SHA-256, and what is wrong with it."""

    folder: str
    files: dict[str, dict[str, str | int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class _Inventory:
    """Sorts the archive's members by material and run as they come by, and passes them on to the chunks."""

    def __init__(self, element: str, chunks: int, writer: ChunkWriter) -> None:
        self.element, self.chunks, self.writer = element, chunks, writer
        self.roots: dict[str, str] = {}
        self.runs: dict[tuple[str, int], _FoundRun] = {}
        self.seconds: dict[tuple[str, int, str], _FoundRun] = {}
        self.poscars: dict[str, Member] = {}

    def wanted(self, name: str) -> bool:
        place = place_of(name)
        return place is not None and place.element in (
            {self.element, None} if place.file == "POSCAR" else {self.element}
        )

    def add(self, member: Member) -> None:
        place = place_of(member.name)
        assert place is not None  # `wanted` let it pass
        first_root = self.roots.setdefault(place.material_id, place.root) == place.root
        if place.site_index is None:
            if first_root and place.material_id not in self.poscars:
                self.poscars[place.material_id] = member
                if not member.problem:
                    path = poscar_path(self.element, place.material_id)
                    self.writer.add(chunk_of(place.material_id, self.chunks), path, member.content)
            return
        self._add_run_file(place, place.site_index, member, first_root=first_root)

    def _add_run_file(self, place: Place, site_index: int, member: Member, *, first_root: bool) -> None:
        key = (place.material_id, site_index)
        if first_root:
            run = self.runs.setdefault(key, _FoundRun(place.folder))
            if run.folder == place.folder and place.file not in run.files:
                self._note(run, place, member)
                if not member.problem:
                    path = f"{run_folder(self.element, *key)}/{place.file}"
                    self.writer.add(chunk_of(place.material_id, self.chunks), path, member.content)
                return
        second = self.seconds.setdefault((*key, place.folder), _FoundRun(place.folder))
        self._note(second, place, member)

    @staticmethod
    def _note(run: _FoundRun, place: Place, member: Member) -> None:
        digest = hashlib.sha256(member.content).hexdigest()
        run.files.setdefault(place.file, {"bytes": len(member.content), "sha256": digest})
        if member.problem:
            run.problems.append(f"{place.file}: {member.problem}")

    def duplicates(self) -> list[Rejected]:
        """Second runs of a site, with whether they say the same as the first."""
        rejected = []
        for (material_id, site_index, folder), second in self.seconds.items():
            first = self.runs.get((material_id, site_index))
            kept = first.folder if first else self.roots[material_id]
            spectrum, other = (run.files.get("xmu.dat") if run else None for run in (first, second))
            same = "the same spectrum" if spectrum and spectrum == other else "not the same spectrum"
            where = "stands in the archive twice" if folder == kept else f"{folder} is a second run beside {kept}"
            rejected.append(Rejected(material_id, site_index, "duplicate", f"{where}, {same}; the first one counts"))
        return rejected


def import_archive(
    archive: str | Path,
    *,
    subset: str,
    chunks: list[Path],
    structures: Path,
    site_table: Path,
    rejected: Path,
    symprec: float = 0.01,
    workers: int = 1,
) -> None:
    """Import the finished FEFF runs of a subset.

    Args:
        archive: folder or packed file with runs in Lightshow's tree.
        subset: such as `Cu_FEFF`.
        chunks: the zip to write for each chunk, in the order of the chunks' numbers.
        structures: Parquet to write, one row a material with a run.
        site_table: Parquet to write, one row a site with a run.
        rejected: Parquet to write, what was found and cannot be used.
        symprec: spglib's tolerance in Å, for the sites' multiplicities.
        workers: processes that read structures.

    Raises:
        XanesflowError: the archive is missing, damaged or without a single run of the subset, or its theory cannot
            be read.
    """
    parsed = Subset.parse(subset)
    if parsed.theory != "FEFF":
        raise XanesflowError(f"{subset}: this version reads FEFF runs only; take {subset} out of `subsets`.")
    with ChunkWriter(chunks) as writer:
        inventory = _Inventory(parsed.element, len(chunks), writer)
        for member in read_archive(archive, inventory.wanted):
            inventory.add(member)
        if not inventory.runs:
            raise XanesflowError(
                f"{archive} holds no FEFF run of {parsed.element}: looked for <element>/<material id>/FEFF-XANES/"
                f"<site>_{parsed.element}/xmu.dat and found {len(inventory.poscars)} POSCAR files."
            )
        materials = _read_structures(inventory.poscars, symprec=symprec, workers=workers)
        left_out = inventory.duplicates()
        sites: list[tuple[Material, int]] = []
        for (material_id, site_index), run in inventory.runs.items():
            record = {
                "code": "imported", "xanesflow": __version__, "source": run.folder, "files": run.files,
                "problems": run.problems,
            }  # fmt: skip
            writer.add_record(
                chunk_of(material_id, len(chunks)), run_folder(parsed.element, material_id, site_index), record
            )
            judged = _judge(parsed.element, material_id, site_index, run, materials.get(material_id))
            if isinstance(judged, Rejected):
                left_out.append(judged)
            else:
                sites.append((judged, site_index))
    left_out += _materials_without_run(inventory, materials, parsed.element)
    write_structures(structures, {m.material_id: m for m, _ in sites}.values())
    write_site_table(site_table, sites, chunks=len(chunks))
    write_rejected(rejected, left_out)
    for material in materials.values():
        if isinstance(material, Material) and material.note:
            log.warning("%s: %s", material.material_id, material.note)
    log.info("%s from %s: %s", subset, archive, describe_counts(len(sites), left_out, what="runs"))


def _read_structures(poscars: dict[str, Member], *, symprec: float, workers: int) -> dict[str, Material | BadStructure]:
    """All structures by material id."""
    texts = [(material_id, member.content) for material_id, member in poscars.items() if not member.problem]
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    results = map_in_processes(partial(_read_batch, symprec=symprec), batches, workers)
    read = {material.material_id: material for batch in results for material in batch}
    unread = {k: BadStructure(k, f"POSCAR: {m.problem}") for k, m in poscars.items() if m.problem}
    return read | unread


def _read_batch(batch: list[tuple[str, bytes]], *, symprec: float) -> list[Material | BadStructure]:
    return [read_poscar(material_id, text, symprec=symprec) for material_id, text in batch]


def _judge(
    element: str, material_id: str, site_index: int, run: _FoundRun, material: Material | BadStructure | None
) -> Material | Rejected:
    """Whether a run stands at a site that is there; its spectrum is judged by the next stage."""
    if material is None:
        return Rejected(material_id, site_index, "no_structure", "there is no POSCAR beside its FEFF-XANES folder")
    if isinstance(material, BadStructure):
        return Rejected(material_id, site_index, "no_structure", material.detail)
    if run.problems:
        return Rejected(material_id, site_index, "unsafe_file", "; ".join(run.problems))
    if site_index >= len(material.elements):
        detail = f"site {site_index} lies outside the structure, which has {len(material.elements)} atoms"
        return Rejected(material_id, site_index, "wrong_absorber", detail)
    if material.elements[site_index] != element:
        detail = f"site {site_index} of POSCAR is {material.elements[site_index]}, not {element}"
        return Rejected(material_id, site_index, "wrong_absorber", detail)
    return material


def _materials_without_run(
    inventory: _Inventory, materials: dict[str, Material | BadStructure], element: str
) -> list[Rejected]:
    with_run = {material_id for material_id, _ in inventory.runs}
    rejected = []
    for material_id, material in materials.items():
        if material_id in with_run:
            continue
        if isinstance(material, BadStructure):
            rejected.append(Rejected(material_id, -1, "no_structure", material.detail))
        elif element in material.elements:
            rejected.append(Rejected(material_id, -1, "no_run", f"POSCAR is there, but no FEFF run of {element}"))
    return rejected
