"""The values behind `models.preset`; kept apart from the training code, so that planning stays quick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal["paper", "best"]

PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    "paper": {
        "features": ["m3gnet"],
        "seeds": [0],
        "dropout": 0.5,
        "output": "softplus",
        "learning_rate": "range_test",
        "weight_decay": 0.0,
        "schedule": "constant",
        "average": 0.0,
        "kernel_share": 0.0,
        "max_epochs": 1000,
        "patience": 50,
    },
    "best": {
        "features": ["m3gnet_all+chgnet+radial+angular+chgnet_cell"],
        "seeds": [0, 1, 2, 3],
        "dropout": 0.1,
        "output": "difference",
        "learning_rate": 3e-3,
        "weight_decay": 1e-2,
        "schedule": "one_cycle",
        "average": 0.999,
        "kernel_share": 0.5,
        "max_epochs": 60,
        "patience": 50,
    },
}
"""Values for keys of `models` that a configuration leaves to its preset; `features` stands for `features.models`."""

LAYERS: Mapping[Preset, tuple[tuple[int, ...], int] | None] = {"paper": None, "best": ((400, 400, 400), 128)}
"""Widths of the hidden layers and batch size of every model; None: the paper's for each."""


def fill_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give keys that are absent or null the values of the preset.

    Args:
        values: the configuration as read, not yet checked. A section of a wrong type stays for the check to report.
    """
    models, features = values.get("models") or {}, values.get("features") or {}
    if not isinstance(models, Mapping) or not isinstance(features, Mapping):
        return dict(values)
    named = models.get("preset")
    preset = PRESETS.get(named if isinstance(named, str) else "paper", PRESETS["paper"])  # type: ignore[call-overload]
    chosen = {name: value for name, value in models.items() if value is not None or name not in preset}
    missing = {name: value for name, value in preset.items() if name not in chosen and name != "features"}
    if features.get("models") is None:
        features = {**features, "models": preset["features"]}
    return {**values, "models": {**chosen, **missing}, "features": {**features}}
