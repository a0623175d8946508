"""Writes the model card, the README.md of an exported model, from what the checkpoints record."""

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
    "delta": "a correction that turns spectra of a cheaper level of theory into those of a better one",
}


def model_card(about: Mapping[str, Any]) -> str:
    """The card as Markdown, from the content of `model.json`."""
    seeds = ", ".join(about["checkpoints"])
    sections = [
        f"# {_plain(about['title'])}",
        "Predicts the simulated K-edge X-ray absorption near-edge spectrum (XANES) of each absorber in a crystal from "
        "its structure, with an error band, and warns when a structure is unlike what it was trained on. It is "
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
                ["`calibration/*.h5`", "error bars, and the positions of the training sites in feature space"],
                [f"`{MODEL_FILE}`", "the content of this card, for programs"],
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
            rows.append([name, "not evaluated", "", "", "", ""])
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
        table(["subset", "part", "spectra", "η", "better than the mean", "inside the 95 % band"], rows)
        + "\n\nη is how many times smaller the median squared error is than that of the mean training spectrum. The "
        "model was not trained on any material of the part."
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
            f"Features `{name}`, {size} numbers for each site: {_plain(recorded.get('meaning', 'not recorded'))}; "
            f"SHA-256 of their weights `{_plain(recorded.get('weights_hash', 'unknown'))}`"
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
        "The model predicts spectra as the simulation would give them, not as a beamline measures them: absolute "
        "energies differ from experiment by some eV, and the model lacks whatever the simulation lacks.",
        f"It only knows {', '.join(about['subsets'])} (element and level of theory), in crystals like the training "
        "data: ordered, periodic, at rest.",
        "Error bands hold the share that they name on average over structures like the training data. Sites farther "
        "away than the limit below are reported as unlike; their bands may be too narrow.",
        "Relax structures first: bond lengths shift spectra.",
    ]
    for name, each in about["subsets"].items():
        if not each["error_bars"]:
            lines.append(f"{name} has no error bars.")
        if each["distance_limit"] is not None:
            lines.append(f"{name}: the distance limit is {each['distance_limit']:.2f} standard deviations.")
    return lines


def _plain(value: Any) -> str:
    """Escape text so that Markdown does not read it as HTML."""
    return escape(str(value), quote=False)
