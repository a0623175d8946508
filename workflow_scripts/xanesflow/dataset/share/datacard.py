"""The datacard of a packaged dataset: its README.md, written from what the dataset file records about itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from xanesflow.codes.registry import theory_of
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import PARTS, Subset, parent_of
from xanesflow.core.templates import environment
from xanesflow.core.text import plural
from xanesflow.dataset.check.contents import FileContents, SubsetContents
from xanesflow.dataset.check.findings import Validation

SOURCES = {
    "archive": "the POSCAR file of each imported run",
    "directory": "a folder of structure files that the creators provided",
    "examples": "xanesflow's library of well-known structures",
    "materials_project": "Materials Project (materialsproject.org, CC-BY-4.0); cite it too (doi:10.1063/1.4812323)",
    "amcsd": "the American Mineralogist Crystal Structure Database, as the package larixite brings it along; cite it "
    "too (R. T. Downs and M. Hall-Wallace, American Mineralogist 88, 247-250, 2003), and the papers of the structures, "
    "which are listed below",
}


def describe_in_a_paragraph(contents: FileContents) -> str:
    """Describe the dataset in three sentences."""
    spectra = sum(map(len, contents.subsets.values()))
    elements = sorted({subset.element for subset in contents.subsets.values()})
    theories = sorted({Subset.parse(name).theory for name in contents.subsets})
    materials = {m for subset in contents.subsets.values() for m, _ in subset.sites}
    return (
        f"{spectra:,} simulated K-edge X-ray absorption near-edge spectra (XANES) of {', '.join(elements)} in "
        f"{plural(len(materials), 'material')}, by {'; '.join(theory_of(theory).title for theory in theories)}. Each "
        "is the absorption cross section of one symmetry-inequivalent absorber in bohr² on a common grid of absolute "
        "photon energies. It comes with the crystal structure, features for machine learning, and its part of a split "
        "by material. Every site that was left out is listed with its reason."
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
    config = _json(about.get("config"))
    taken = _at(config, "dataset", "source") == "features_file"
    imported = _at(config, "simulations", "source") == "archive"
    subsets = {name: _subset(subset) for name, subset in contents.subsets.items()}
    return (
        environment("xanesflow.dataset.share")
        .get_template("datacard.md")
        .render(
            about={key: str(value) for key, value in about.items()},
            paragraph=describe_in_a_paragraph(contents),
            version=version,
            url=url,
            subsets=subsets,
            structures="as far as that file has them"
            if taken
            else SOURCES.get(str(_at(config, "structures", "source")), "not recorded"),
            done="taken from a file of features and spectra"
            if taken
            else "imported from finished runs"
            if imported
            else "computed",
            theories=_theories(config, contents, taken=taken),
            features={
                column.removeprefix("features/"): {**subset.group[column].attrs, "size": values.shape[1]}
                for subset in contents.subsets.values()
                for column, values in subset.arrays.items()
                if column.startswith("features/")
            },
            splits={key: _at(config, "splits", key) for key in ("files", "fractions", "seed")},
            reasons={
                reason: meaning
                for reason, meaning in REASONS.items()
                if any(subset["left_out"][reason] for subset in subsets.values())
            },
            papers=_papers(contents),
            checks=validation.looked_at,
            remarks=[each for each in validation.findings if not each.fault and each.check != "hashes"],
            versions=_json(about.get("versions")),
        )
    )


def _papers(contents: FileContents) -> dict[str, list[str]]:
    """The publications of the structures, sorted, each with the materials that come from it."""
    found: dict[str, list[str]] = {}
    for key, cell in contents.structures.items():
        material = parent_of(key.partition("@")[0])
        if "reference" in cell.about:
            name = f"{cell.about['name']}, " if cell.about.get("name") else ""
            of_paper = found.setdefault(cell.about["reference"], [])
            if (named := f"{name}{material}") not in of_paper:
                of_paper.append(named)
    return dict(sorted(found.items()))


def _subset(subset: SubsetContents) -> dict[str, Any]:
    parts = Counter(subset.arrays["split"].tolist())
    return {
        "spectra": len(subset),
        "materials": len(subset.parts_of_material()),
        "parts": " / ".join(f"{parts[part]:,}" for part in PARTS),
        "energy": subset.arrays["energy"].tolist(),
        "left_out": Counter(subset.rejected["reason"].tolist() if subset.rejected else []),
    }


def _theories(config: Mapping[str, Any], contents: FileContents, *, taken: bool) -> dict[str, Any]:
    """By level of theory: its record, the attributes of its first subset's spectra, curation, and quoted options."""
    found: dict[str, Any] = {}
    for name, subset in contents.subsets.items():
        theory = Subset.parse(name).theory
        record, envelope = theory_of(theory), _at(config, "curation", "envelope", theory)
        kept = f"spectra within mean ± {envelope} σ of their subset" if envelope else "no limit on outliers"
        found.setdefault(
            theory,
            {
                "record": record,
                "attributes": dict(subset.group["spectra"].attrs),
                "curation": "done before the file was written" if taken else kept,
                "quoted": _at(config, "inputs", record.inputs_section, record.datacard_key),
            },
        )
    return found


def _json(text: Any) -> dict[str, Any]:
    try:
        return parse_object(str(text))
    except ValueError:
        return {}


def _at(config: Any, *keys: str) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, Mapping) else None
    return config
