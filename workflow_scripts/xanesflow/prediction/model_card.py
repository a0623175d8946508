"""The model card: README.md of an exported model, filled from what the checkpoints record."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from xanesflow.codes.registry import theory_of
from xanesflow.core.files import HASHES
from xanesflow.core.sites import Subset
from xanesflow.dataset.share.markdown import listed, table
from xanesflow.prediction.exported_model import MODEL_FILE

_KINDS = {
    "expert": "a network trained on one element at one level of theory",
    "universal": "one network trained on all elements of a level of theory",
    "tuned": "the universal network trained further on one element",
    "delta": "what a level of theory has beyond a cheaper one, whose runs it takes",
}


def model_card(about: Mapping[str, Any]) -> str:
    """The card as Markdown, from what `model.json` says."""
    seeds = ", ".join(about["checkpoints"])
    sections = [
        f"# {_plain(about['title'])}",
        "Predicts the simulated K-edge X-ray absorption near-edge spectrum (XANES) of each absorber in a crystal from "
        "its structure, with an error band, and tells when a structure is unlike what it was trained on. It is "
        f"{_KINDS.get(about['model'], 'a network')}"
        + (f"; the prediction is the mean of its {len(about['checkpoints'])} seeds." if "," in seeds else "."),
        "## How good it is\n\n" + _evidence(about),
        "## How to use it\n\n" + _use(),
        "## What it is\n\n" + _what(about, seeds),
        "## What it was trained on\n\n" + _training(about),
        "## What to know before use\n\n" + listed(_limits(about)),
        "## Files\n\n"
        + table(
            ["file", "what it holds"],
            [
                ["`seed*.safetensors`", "weights, scaling and energies of each seed, with its own record; no code"],
                ["`calibration/*.h5`", "error bars, and where the training sites lie in the space of the features"],
                [f"`{MODEL_FILE}`", "what this card says, for programs"],
                [f"`{HASHES}`", f"hashes of these files; `sha256sum -c {HASHES}` checks them, and so does `predict`"],
            ],
        ),
        f"## Licence and citation\n\nMade by {_plain(about['creator'])}. Licence: {_plain(about['licence'])} (see "
        f"`LICENSE`). The method is that of {_plain(about['citation'])}.",
        "## Software\n\n" + ", ".join(f"{name} {number}" for name, number in sorted(about["versions"].items())) + ".",
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _evidence(about: Mapping[str, Any]) -> str:
    rows = []
    for name, each in about["subsets"].items():
        recorded = each["evidence"]
        if recorded is None:
            rows.append([name, "not judged here", "", "", "", ""])
            continue
        held = "no bands" if recorded["held_95"] is None else f"{100 * recorded['held_95']:.1f} %"
        rows.append(
            [
                name,
                recorded["part"],
                f"{recorded['n']:,}",
                f"{recorded['eta']:.2f}",
                f"{100 * recorded['w_e']:.1f} %",
                held,
            ],
        )
    return (
        table(["subset", "part", "spectra", "η", "better than the mean", "held by the 95 % band"], rows)
        + "\n\nη is how many times smaller the median squared error is than that of the mean training spectrum. No "
        "material of the part was trained on."
    )


def _use() -> str:
    return """```
xanesflow predict POSCAR --model THIS_FOLDER --output spectra.csv --plot spectra.svg
```

```python
import xanesflow

found = xanesflow.predict("POSCAR", "THIS_FOLDER")
```"""


def _what(about: Mapping[str, Any], seeds: str) -> str:
    lines = [_plain(line[:1].upper() + line[1:]) for line in about["how_trained"]] + [f"Seeds: {seeds}"]
    for name, size in about["feature_dimensions"]:
        recorded = about["featurizers"].get(name, {})
        lines.append(
            f"Features `{name}`, {size} numbers a site: {_plain(recorded.get('meaning', 'not told'))}; SHA-256 of "
            f"their weights `{_plain(recorded.get('weights_hash', 'unknown'))}`"
        )
    for name, each in about["subsets"].items():
        grid = each["energy_ev"]
        lines.append(
            f"{name}: absorption cross section in bohr² at {grid['points']} absolute energies, {grid['first']:.3f} to "
            f"{grid['last']:.3f} eV"
        )
    return listed(lines)


def _training(about: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{each['n_train']:,}", f"{each['n_val']:,}", f"`{each['data_sha256'][:16]}`"]
        for name, each in about["subsets"].items()
    ]
    theories = dict.fromkeys(Subset.parse(name).theory for name in about["subsets"])
    codes = "; ".join(f"{theory}: {theory_of(theory).title}" for theory in theories)
    campaign = f" of the campaign {_plain(about['campaign'])}" if about["campaign"] else ""
    return (
        f"Spectra{campaign}, simulated by {codes}.\n\n"
        + table(["subset", "trained on", "stopped by", "hash of the data"], rows)
        + f"\n\nSHA-256 of the dataset file: `{about['dataset_sha256']}`."
    )


def _limits(about: Mapping[str, Any]) -> list[str]:
    lines = [
        "The spectra are those that the simulation would give, not those that a beamline measures: absolute energies "
        "differ from experiment by some eV, and what the simulation lacks the model lacks too.",
        f"It knows the elements and levels of theory {', '.join(about['subsets'])} alone, in crystals as the training "
        "data has them: ordered, periodic, at rest.",
        "Error bands hold what they name for structures like the training data, on average over them. Sites farther "
        "away than the limit below are told as unlike; their bands may be too narrow.",
        "Relax structures before: bond lengths move spectra.",
    ]
    for name, each in about["subsets"].items():
        if not each["error_bars"]:
            lines.append(f"{name} has no error bars.")
        if each["distance_limit"] is not None:
            lines.append(f"{name}: the limit of the distance is {each['distance_limit']:.2f} standard deviations.")
    return lines


def _plain(value: Any) -> str:
    """Text that Markdown does not take for HTML."""
    return escape(str(value), quote=False)
