"""Check that each site fits its structure: index, element, multiplicity."""

from __future__ import annotations

from collections.abc import Iterator

from xanesflow.core.foreign_json import parse_object
from xanesflow.core.sites import SYMPREC_A, site_id
from xanesflow.core.text import first_of, plural
from xanesflow.dataset.check.contents import FileContents
from xanesflow.dataset.check.findings import Finding
from xanesflow.dataset.file import STRUCTURES


def check_structures(contents: FileContents) -> Iterator[Finding]:
    """Compare the sites of all subsets with their structures."""
    used: set[str] = set()
    for subset in contents.subsets.values():
        # Sort the sites of this subset by what is wrong with them.
        missing, beyond, other, many = [], [], [], []
        atoms: dict[str, int] = {}
        counts = subset.arrays.get("multiplicity")
        for row, (material, site) in enumerate(subset.sites):
            key = contents.structure_of(subset.name, material)
            if key is None:
                missing.append(material)
                continue
            used.add(key)
            cell = contents.structures.get(key)
            if cell is None:  # it cannot be read, which `read_contents` has reported
                continue
            if site >= len(cell.elements):
                beyond.append(f"{site_id(material, site)} (of {plural(len(cell.elements), 'atom')})")
            elif site >= 0 and cell.elements[site] != subset.element:
                other.append(f"{site_id(material, site)} is {cell.elements[site]}")
            if counts is not None:
                atoms[material] = atoms.get(material, 0) + int(counts[row])
                if atoms[material] > cell.elements.count(subset.element):
                    many.append(material)

        # Report each kind of fault once, with examples.
        for names, sentence in (
            (missing, "materials have no structure"),
            (beyond, "sites lie outside their structure"),
            (other, f"sites are not {subset.element} in their structure"),
            (many, f"the multiplicities of a material's sites add up to more than its atoms of {subset.element}"),
        ):
            if names:
                # A subset taken from a file of features may have no structures.
                taken = "spectra" in subset.arrays and "origin" in subset.group["spectra"].attrs
                fault = names is not missing or not taken
                distinct = list(dict.fromkeys(names))
                yield Finding("structures", subset.name, f"{sentence}: {first_of(distinct)}", fault=fault)
    unused = sorted(contents.structures.keys() - used)
    if unused:
        yield Finding("structures", STRUCTURES, f"no site uses {first_of(unused)}", fault=False)


def check_symmetry(contents: FileContents) -> Iterator[Finding]:
    """Determine the equivalent atoms of each structure again and compare them with sites and multiplicities."""
    from pymatgen.core import Structure

    from xanesflow.structures.material import BadStructure, Material, describe

    try:
        symprec = float(parse_object(str(contents.file.attrs["config"]))["structures"]["symprec"])
    except (KeyError, TypeError, ValueError):
        symprec = SYMPREC_A  # the recorded configuration names none
    described: dict[str, Material | BadStructure] = {}
    for subset in contents.subsets.values():
        wrong, twice = [], []
        first: dict[tuple[str, int], int] = {}
        counts = subset.arrays.get("multiplicity", ())
        if "multiplicity" in subset.arrays and "meaning" in subset.group["multiplicity"].attrs:
            continue  # the multiplicities are not known, and the attribute says so
        for (material, site), count in zip(subset.sites, counts, strict=False):
            key = contents.structure_of(subset.name, material) or ""
            cell = contents.structures.get(key)
            if cell is None or not 0 <= site < len(cell.elements):
                continue
            if key not in described:
                described[key] = describe(material, Structure.from_dict(cell.data), symprec=symprec)
            found = described[key]
            if isinstance(found, BadStructure):
                continue
            if (atoms := found.multiplicity(site)) != count:
                wrong.append(
                    f"{site_id(material, site)} has {count}, but {plural(atoms, 'atom is', 'atoms are')} equivalent"
                )
            before = first.setdefault((key, found.equivalent[site]), site)
            if before != site:
                twice.append(f"{site_id(material, site)} and {site_id(material, before)}")
        if wrong:
            yield Finding("structures", f"{subset.name}/multiplicity", f"wrong multiplicities: {first_of(wrong)}")
        if twice:
            yield Finding("structures", subset.name, f"sites are equivalent by symmetry: {first_of(twice)}")
