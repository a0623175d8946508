"""The datacard of a packaged dataset: its README.md, written from what the dataset file records about itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

from xanesflow.codes.registry import theories, theory_of
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import PARTS, Subset, parent_of
from xanesflow.core.text import printable
from xanesflow.dataset.check.contents import FileContents
from xanesflow.dataset.check.findings import Validation
from xanesflow.dataset.share.markdown import listed, table

SOURCES = {
    "archive": "the POSCAR file of each imported run",
    "directory": "a folder of structure files that the creators provided",
    "examples": "xanesflow's library of well-known structures",
    "materials_project": "Materials Project (materialsproject.org, CC-BY-4.0); cite it too (doi:10.1063/1.4812323)",
    "amcsd": "the American Mineralogist Crystal Structure Database, as the package larixite brings it along; cite it "
    "too (R. T. Downs and M. Hall-Wallace, American Mineralogist 88, 247-250, 2003), and the papers of the structures, "
    "which are listed below",
}

FILES = {
    "{campaign}.h5": "everything: spectra, features, splits, structures, rejected sites, provenance",
    "sites.csv": "one row for each site: where its spectrum is in the HDF5 file, material, formula, part of the split",
    "rejected.csv": "one row for each site that was left out, with its reason",
    "croissant.json": "metadata for search engines and loaders (Croissant 1.1)",
    "CITATION.cff": "how to cite it",
    "LICENSE": "the licence",
    "SHA256SUMS": "hashes of these files; `sha256sum -c SHA256SUMS` checks them",
}


def describe_in_a_paragraph(about: Mapping[str, Any], contents: FileContents) -> str:
    """Describe the dataset in three sentences."""
    spectra = sum(map(len, contents.subsets.values()))
    elements = sorted({subset.element for subset in contents.subsets.values()})
    theories = sorted({Subset.parse(name).theory for name in contents.subsets})
    materials = {m for subset in contents.subsets.values() for m, _ in subset.sites}
    return (
        f"{spectra:,} simulated K-edge X-ray absorption near-edge spectra (XANES) of {', '.join(elements)} in "
        f"{len(materials):,} materials, by {'; '.join(theory_of(theory).title for theory in theories)}. Each is the "
        "absorption cross section of one symmetry-inequivalent absorber in bohr² on a common grid of absolute photon "
        "energies. It comes with the crystal structure, features for machine learning, and its part of a split by "
        "material. Every site that was left out is listed with its reason."
    )


def datacard(
    about: Mapping[str, Any], contents: FileContents, validation: Validation, *, version: str, url: str | None
) -> str:
    """The datacard as Markdown.

    Args:
        about: root attributes of the packaged file.
        contents: contents of the packaged file.
        validation: result of its validation.
        version: version of the dataset.
        url: address of the dataset, if known.
    """
    config, versions = _json(about.get("config")), _json(about.get("versions"))
    about = {key: escape(str(value), quote=False) for key, value in about.items()}  # Markdown may hold HTML
    sections = [
        f"# {about['title']}\n\n{describe_in_a_paragraph(about, contents)}",
        listed(
            [
                f"Version {version}, made {str(about['created'])[:10]} by {about['creator']}",
                f"Licence: {about['licence']} (see `LICENSE`)",
                *([f"Home: {url}"] if url else []),
                f"Content hash: `{about['content_sha256']}`, the same for any file that holds the same data",
            ]
        ),
        "## What is in it\n\n" + _subsets(contents),
        "## Files\n\n" + _files(str(about["campaign"])),
        "## How to read it\n\n" + _reading(str(about["campaign"]), contents),
        "## How it was made\n\n" + _making(config, contents),
        "## What was left out\n\n" + _left_out(contents),
        "## Checks\n\n" + _checks(validation),
        "## What to know before use\n\n" + _limits(contents),
        "## Citation\n\n" + _citation(about, version),
        *([f"## Papers of the structures\n\n{papers}"] if (papers := _papers(contents)) else []),
        "## Software\n\n" + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _subsets(contents: FileContents) -> str:
    rows = []
    for name, subset in contents.subsets.items():
        parts = Counter(subset.arrays["split"].tolist())
        energy = subset.arrays["energy"]
        rows.append(
            [
                name,
                f"{len(subset):,}",
                f"{len(subset.parts_of_material()):,}",
                " / ".join(f"{parts[part]:,}" for part in PARTS),
                f"{energy[0]:.3f} to {energy[-1]:.3f} eV, {len(energy)} points",
                f"{0 if subset.rejected is None else len(subset.rejected['reason']):,}",
            ]
        )
    listing = table(["subset", "spectra", "materials", f"{' / '.join(PARTS)}", "energies", "left out"], rows)
    return (
        f"{listing}\n\nA subset is one element at one level of theory. No material is in two parts of a subset's split."
    )


def _files(campaign: str) -> str:
    return table(["file", "what it holds"], [[f"`{n.format(campaign=campaign)}`", what] for n, what in FILES.items()])


def _reading(campaign: str, contents: FileContents) -> str:
    name = next(iter(contents.subsets))
    features = next(column for column in contents.subsets[name].arrays if column.startswith("features/"))
    return f"""```python
import h5py

with h5py.File("{campaign}.h5") as file:
    subset = file["{name}"]
    energy = subset["energy"][:]                 # eV, absolute
    spectrum = subset["spectra"][0]              # bohr²
    features = subset["{features}"][:]
    train = subset["split"].asstr()[:] == "train"
    material, site = subset["material_id"].asstr()[0], subset["site_index"][0]
    structure = file["structures"][material][()]   # pymatgen's JSON; `site` is the index of the atom, from 0
```

If a subset numbers the atoms of a material differently from the others, its structure is
`structures/<material id>@<subset>`. With xanesflow installed, you can write:

```python
import xanesflow

with xanesflow.load("{campaign}.h5") as data:
    train = data["{name}"].part("train")
    train.spectra[:], train.pandas(), train[0].structure()
```"""


def _making(config: Mapping[str, Any], contents: FileContents) -> str:
    # Say where the structures came from.
    structures = _at(config, "structures", "source")
    taken = _at(config, "dataset", "source") == "features_file"
    done = (
        "taken from a file of features and spectra"
        if taken
        else "imported from finished runs"
        if _at(config, "simulations", "source") == "archive"
        else "computed"
    )
    whence = "as far as that file has them" if taken else SOURCES.get(str(structures), "not recorded")
    lines = [f"Structures: {whence}."]

    # Describe the spectra of each level of theory, from the attributes of its first subset.
    for theory in dict.fromkeys(Subset.parse(name).theory for name in contents.subsets):
        subset = next(each for name, each in contents.subsets.items() if Subset.parse(name).theory == theory)
        attributes = subset.group["spectra"].attrs
        envelope = _at(config, "curation", "envelope", theory)
        kept = (
            "done before the file was written"
            if taken
            else f"spectra within mean ± {envelope} σ of their subset"
            if envelope
            else "no limit on outliers"
        )
        facts = {
            "Energies": attributes.get("energy_reference", "not recorded"),
            "Broadening": attributes.get("broadening", "not recorded"),
            "Normalisation": attributes.get("normalization", "not recorded"),
            "Curation": kept,
            **({"Settings": f"`{attributes['settings']}`"} if "settings" in attributes else {}),
            **({"Origin": attributes["origin"]} if "origin" in attributes else {}),
        }
        sentences = ". ".join(f"{what}: {how}" for what, how in facts.items())
        lines.append(f"{theory}: {theory_of(theory).title}, {done}. {sentences}.")

    # Quote the simulation options that the registry marks for the datacard.
    for record in theories():
        key = record.datacard_key
        quoted = _at(config, "inputs", record.inputs_section, key) if key else None
        if quoted and any(name.endswith(f"_{record.name}") for name in contents.subsets) and done == "computed":
            lines.append(f"{record.name} {key}: `{json.dumps(quoted)}`.")

    # Describe the features and the split.
    features = {}
    for subset in contents.subsets.values():
        for column in subset.arrays:
            if column.startswith("features/"):
                attributes = subset.group[column].attrs
                features[column.split("/", 1)[1]] = (
                    f"{subset.arrays[column].shape[1]} numbers, {attributes.get('meaning', '')}; SHA-256 of the "
                    f"weights `{attributes.get('weights_hash', '')}`"
                )
    lines += [f"Features `{name}`: {numbers}." for name, numbers in features.items()]
    fractions = _at(config, "splits", "fractions")
    lines.append(
        "Split: taken from split files given to the workflow."
        if _at(config, "splits", "files")
        else f"Split: balanced by material, {fractions} of the spectra, seed {_at(config, 'splits', 'seed')}."
    )
    return listed(lines) + "\n\nThe attribute `config` of the HDF5 file holds the whole configuration."


def _left_out(contents: FileContents) -> str:
    counts = {
        name: Counter(subset.rejected["reason"].tolist() if subset.rejected else [])
        for name, subset in contents.subsets.items()
    }
    seen = [reason for reason in REASONS if any(count[reason] for count in counts.values())]
    if not seen:
        return "Nothing."
    rows = [[f"`{reason}`", *(f"{count[reason]:,}" for count in counts.values()), REASONS[reason]] for reason in seen]
    return table(["reason", *counts, "meaning"], rows)


def _checks(validation: Validation) -> str:
    said = ", ".join(validation.looked_at)
    remarks = [
        escape(f"{each.check}: {each}", quote=False)
        for each in validation.findings
        if not each.fault and each.check != "hashes"
    ]
    return f"`xanesflow dataset validate` finds no fault ({said})." + (
        f" It remarks:\n\n{listed(remarks)}" if remarks else ""
    )


def _limits(contents: FileContents) -> str:
    lines = [
        "The spectra are simulated. Absolute energies differ from experiment by some eV, and between codes; compare "
        "shapes after alignment.",
        "Curation removes outliers, so rare environments are rarer here than in nature.",
        "When you evaluate a model, use this split: sites of the same material are alike.",
    ]
    of = {Subset.parse(name).theory for name in contents.subsets}
    lines += [record.limits for record in theories() if record.name in of and record.limits]
    return listed(lines)


def _citation(about: Mapping[str, Any], version: str) -> str:
    return (
        f"{about['creator']}: {about['title']}, version {version}, {str(about['created'])[:4]}.\n\n"
        f"The method follows {about['citation']}."
    )


def _papers(contents: FileContents) -> str:
    """The publications of the structures, each with the materials that come from it; empty if none is known."""
    found: dict[str, list[str]] = {}
    for key, cell in contents.structures.items():
        material = parent_of(key.partition("@")[0])
        if "reference" in cell.about:
            name = f"{cell.about['name']}, " if cell.about.get("name") else ""
            of_paper = found.setdefault(cell.about["reference"], [])
            if (named := f"{name}{material}") not in of_paper:
                of_paper.append(named)
    return listed(
        escape(f"{printable(paper)} ({printable('; '.join(materials))})", quote=False)
        for paper, materials in sorted(found.items())
    )


def _json(text: Any) -> dict[str, Any]:
    try:
        read = json.loads(str(text))
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _at(config: Any, *keys: str) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, Mapping) else None
    return config
