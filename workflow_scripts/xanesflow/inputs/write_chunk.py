"""Writes the inputs of a chunk's sites into one zip, the same bytes for the same structures and settings."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.engine import InputWriter
from xanesflow.codes.plain_structure import plain
from xanesflow.codes.registry import manifest_of, writer_of
from xanesflow.codes.run_zip import add_file
from xanesflow.core.errors import NoInputError, XanesflowError
from xanesflow.core.files import atomic_path, sha256_text
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.provenance import versions
from xanesflow.core.reasons import Rejected
from xanesflow.core.site_list import planned_sites
from xanesflow.core.sites import Subset, chunk_name, site_id
from xanesflow.core.tables import describe_counts, read_parquet, read_structures, write_rejected
from xanesflow.core.text import one_line

log = logging.getLogger(__name__)

MANIFESTS = "manifests"
"""Folder in the zip that holds the chunk's manifest."""

_FORM = 1
_WORTH_PROCESSES = 2000
"""More processes pay from this many sites on: a process loads its libraries in 5 s, a site of FEFF takes 12 ms."""


@dataclass(frozen=True)
class _Material:
    """Sites of one material, the work of a process."""

    material_id: str
    structure: str
    sites: tuple[int, ...]


@dataclass(frozen=True)
class _Written:
    """Result of a process: files by their path in the zip, hashes of the sites written, and the sites left out."""

    files: dict[str, bytes]
    hashes: dict[str, str]
    left_out: list[Rejected]


def write_inputs(
    structures: Path,
    site_table: Path,
    output: Path,
    rejected: Path,
    *,
    subset: str,
    chunk: int,
    options: Mapping[str, Any],
    only: Path | None = None,
    workers: int = 1,
) -> None:
    """Write the inputs of all planned sites of a chunk.

    Args:
        structures: Parquet of the subset's structures.
        site_table: Parquet of its sites.
        output: zip to write: Lightshow's tree with each material's POSCAR, and a manifest.
        rejected: Parquet to write, the sites for which no input can be written.
        subset: such as `Ti_VASP`.
        chunk: its number.
        options: the theory's part of the section `inputs` of the configuration.
        only: list of the sites to simulate (`site_list.read_site_list`); None: all.
        workers: number of processes.

    Raises:
        XanesflowError: no inputs can be written for this theory or element at all, or the settings are wrong; or the
            list names a site that the subset lacks.
    """
    # Check the settings first, and find what the theory adds to the manifest.
    parsed = Subset.parse(subset)
    writer_of(parsed.theory, options, parsed.element)  # reports wrong settings once, not for each site
    more = manifest_of(parsed.theory, options)
    # Processes write the materials, and this one packs them in the order of their ids.
    sites: dict[str, str] = {}
    left_out: list[Rejected] = []
    one = partial(_write_material, theory=parsed.theory, element=parsed.element, options=json.dumps(dict(options)))
    with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as packed:
        materials = list(_materials(structures, site_table, chunk, only, subset))
        many = sum(len(material.sites) for material in materials) >= _WORTH_PROCESSES
        for written in map_in_processes(one, materials, workers if many else 1):
            for name in sorted(written.files):
                add_file(packed, name, written.files[name])
            sites |= written.hashes
            left_out += written.left_out
            if more:
                more.see(written.files)
        # The manifest records settings, versions and the hash of each site's inputs.
        manifest = {
            "form": _FORM,
            "subset": subset,
            "chunk": chunk,
            "settings": dict(options),
            "versions": versions(("lightshow", "pymatgen", "pymatgen-core")),
            "input_sha256": sites,
        }
        if more:
            manifest |= more.entries()
        name = f"{MANIFESTS}/{subset}_{chunk_name(chunk)}.json"
        add_file(packed, name, json.dumps(manifest, indent=1, sort_keys=True).encode())
    write_rejected(rejected, left_out)
    for each in left_out:
        log.info("%s: left out (%s): %s", site_id(each.material_id, each.site_index), each.reason, each.detail)
    log.info("%s chunk %d: %s", subset, chunk, describe_counts(len(sites), left_out, what=("input", "inputs")))


def _materials(structures: Path, site_table: Path, chunk: int, only: Path | None, subset: str) -> Iterator[_Material]:
    """The chunk's materials with planned sites, in the order of their ids."""
    table = read_parquet(site_table, ["material_id", "site_index", "chunk"])
    chunk_of_site = {(str(m), int(i)): int(number) for m, i, number in table.itertuples(index=False, name=None)}
    pairs = sorted(site for site in planned_sites(only, chunk_of_site, subset) if chunk_of_site[site] == chunk)
    as_json = read_structures(structures, {material_id for material_id, _ in pairs})
    for material_id, group in groupby(pairs, key=lambda pair: pair[0]):
        yield _Material(material_id, as_json.get(material_id, ""), tuple(index for _, index in group))


@lru_cache(maxsize=1)
def _writer(theory: str, element: str, options: str) -> InputWriter:
    """The writer of inputs; each process makes it only once."""
    return writer_of(theory, json.loads(options), element)


def _write_material(material: _Material, *, theory: str, element: str, options: str) -> _Written:
    """Write the inputs of one material; an error leaves out this material only."""
    # Lightshow writes the material's sites into a scratch folder.
    refused: dict[int, NoInputError] = {}
    sites: list[int] = []
    root = f"{element}/{material.material_id}"
    with tempfile.TemporaryDirectory(prefix="xanesflow-inputs-") as scratch:
        try:
            structure = _read(material.structure)
            sites, refused = _of_element(structure, material.sites, element)
            if sites:
                refused |= _writer(theory, element, options).write(Path(scratch), structure, sites)
        except NoInputError as error:
            refused |= dict.fromkeys(sites or material.sites, error)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # Lightshow and pymatgen raise errors of any type
            said = error if isinstance(error, XanesflowError) else f"{type(error).__name__}: {error}"
            gave_up = NoInputError("cannot_simulate", f"Lightshow could write no input: {one_line(said)}")
            refused |= dict.fromkeys(sites or material.sites, gave_up)
        good = [site for site in sites if site not in refused]
        files = _read_files(Path(scratch), root) if good else {}
    if good:
        files[f"{root}/POSCAR"] = structure.to(fmt="poscar").encode()
    # The hash of a site covers its own files and those that all sites of the material share.
    left_out = [Rejected(material.material_id, site, e.reason, e.detail) for site, e in sorted(refused.items())]
    folders = {site: f"/{site:03}_{element}/" for site in material.sites}
    hashes = {}
    for site in good:
        others = [folder for other, folder in folders.items() if other != site]
        mine = {n: hashlib.sha256(c).hexdigest() for n, c in files.items() if not any(o in n for o in others)}
        hashes[site_id(material.material_id, site)] = sha256_text(json.dumps(mine, sort_keys=True))
    return _Written(files, hashes, left_out)


def _read(as_json: str) -> Structure:
    if not as_json:
        raise NoInputError("no_structure", "the site table names it, but it has no structure")
    return plain(Structure.from_dict(json.loads(as_json)))


def _of_element(
    structure: Structure, sites: tuple[int, ...], element: str
) -> tuple[list[int], dict[int, NoInputError]]:
    """Separate the sites that are atoms of the absorber's element from those that are not."""
    good: list[int] = []
    refused = {}
    for site in sites:
        if site < len(structure) and structure[site].specie.symbol == element:
            good.append(site)
        else:
            formula = structure.composition.reduced_formula
            refused[site] = NoInputError("no_absorber", f"atom {site} of {formula} is not {element}")
    return good, refused


def _read_files(folder: Path, root: str) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {f"{root}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}
