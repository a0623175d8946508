"""`xanesflow dataset`: prints and draws a dataset file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from xanesflow.cli.terminal import messages, print_result, results
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.sites import PARTS, site_id
from xanesflow.core.text import plural
from xanesflow.dataset.read_dataset import DatasetFile, load

_DESCRIBED = ("settings", "reference")
"""Of a subset's attributes: the physics settings of its runs, and how to cite the code."""


def show_info(path: Path, *, as_json: bool) -> None:
    """Print what a dataset holds.

    Raises:
        XanesflowError: the file cannot be opened as a dataset.
    """
    with load(path) as data:
        facts = describe(data)
    if as_json:
        print_result(json.dumps(facts, indent=1))
        return
    print_result(str(facts["title"]), style="bold")
    for key in ("file", "creator", "licence", "citation", "created", "schema_version", "content_sha256"):
        print_result(f"{key.replace('_', ' ')}: {facts[key]}")
    print_result("versions: " + ", ".join(f"{name} {number}" for name, number in facts["versions"].items()))
    table = Table()
    for name in ("subset", "spectra", "materials", *PARTS, "grid (eV)", "features", "left out"):
        table.add_column(name, justify="left" if name in {"subset", "grid (eV)", "features", "left out"} else "right")
    for name, each in facts["subsets"].items():
        grid = each["energy_ev"]
        table.add_row(
            name,
            f"{each['spectra']:,}",
            f"{each['materials']:,}",
            *(f"{each['split'][part]:,}" for part in PARTS),
            f"{grid['first']:.3f} to {grid['last']:.3f}, {grid['points']}",
            escape(", ".join(f"{feature} ({numbers})" for feature, numbers in each["features"].items())),
            escape(", ".join(f"{number:,} {reason}" for reason, number in each["rejected"].items())),
        )
    results().print(table)
    for name, each in facts["subsets"].items():
        for key in [key for key in _DESCRIBED if key in each]:
            print_result(f"{name} {key}: {each[key]}")


def show_ids(path: Path, subset: str | None, part: str | None) -> None:
    """Print id, subset and part of each site, in the order of the file.

    Raises:
        XanesflowError: the file cannot be opened as a dataset, or has no such subset.
    """
    with load(path) as data:
        for name in data.subsets if subset is None else (subset,):
            sites = data[name]
            for material, site, split in zip(sites.material_id, sites.site_index, sites.split, strict=True):
                if part in (None, split):
                    print_result(f"{site_id(material, int(site))} {name} {split}")


def describe(data: DatasetFile) -> dict[str, Any]:
    """The content of a dataset in a form that JSON can hold."""
    about = data.attributes
    keys = ("title", "campaign", "creator", "licence", "citation", "created", "schema_version", "content_sha256")
    facts: dict[str, Any] = {"file": str(data.path), **{key: str(about.get(key, "")) for key in keys}}
    facts["versions"] = parse_object(str(about.get("versions", "{}")))
    facts["subsets"] = {}
    for name in data:
        subset = data[name]
        parts = Counter(subset.split.tolist())
        facts["subsets"][name] = {
            "spectra": len(subset),
            "materials": len(set(subset.material_id.tolist())),
            "split": {part: parts[part] for part in PARTS},
            "energy_ev": {
                "first": float(subset.energy[0]),
                "last": float(subset.energy[-1]),
                "points": len(subset.energy),
            },
            "features": {feature: subset.features(feature).shape[1] for feature in subset.feature_names},
            "rejected": dict(Counter(each.reason for each in subset.rejected()).most_common()),
            **{key: said for key, said in subset.attributes.items() if key in _DESCRIBED},
        }
    return facts


def show_validation(path: Path, *, symmetry: bool, as_json: bool) -> bool:
    """Print what a validation found.

    Returns:
        Whether the dataset is valid.

    Raises:
        XanesflowError: the file cannot be opened as a dataset.
    """
    from xanesflow.dataset.check.findings import CHECKS
    from xanesflow.dataset.check.validate import validate

    with messages().status("checking") as shown:  # visible on a terminal only
        found = validate(path, symmetry=symmetry, progress=lambda what: shown.update(f"checking {escape(what)}"))
    if as_json:
        print_result(json.dumps(found.as_plain(), indent=1))
        return found.valid
    table = Table()
    for name in ("check", "result", "of", "what is checked"):
        table.add_column(name)
    for check, looked_at in found.looked_at.items():
        faults = sum(each.fault for each in found.of(check))
        remarks = len(found.of(check)) - faults
        result, style = "ok", "green"
        if faults:
            result, style = plural(faults, "fault"), "red"
        elif remarks:
            result, style = f"ok, {plural(remarks, 'remark')}", "yellow"
        table.add_row(check, f"[{style}]{result}[/]", escape(looked_at), CHECKS[check])
    results().print(table)
    for each in found.findings:
        print_result(f"{each.check}: {each}", style="red" if each.fault else "yellow")
    number = len(found.faults)
    print_result(f"{path}: " + ("valid" if found.valid else plural(number, "fault")))
    return found.valid


def plot_dataset(path: Path, sites: Sequence[str], subsets: Sequence[str], output: Path) -> None:
    """Draw spectra of a dataset, and print what was drawn.

    Raises:
        XanesflowError: see `dataset.draw_spectra.draw_spectra`.
    """
    from xanesflow.dataset.draw_spectra import draw_spectra

    with load(path) as data:
        drawn = draw_spectra(data, sites, subsets, output)
    print_result(f"{output}: {drawn}")
