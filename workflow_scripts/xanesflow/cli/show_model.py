"""`xanesflow model list` and `xanesflow model info`: describe trained models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from xanesflow.cli.terminal import print_result, results
from xanesflow.prediction.builtin_models import builtin_models
from xanesflow.prediction.evidence import describe_subset, find_evidence
from xanesflow.prediction.exported_model import read_about
from xanesflow.prediction.trained_models import TrainedEnsemble, load_models


def show_models(given: Sequence[Path], *, as_json: bool) -> None:
    """Print a description of each model.

    Args:
        given: checkpoints, folders of seeds, or exported folders.
        as_json: print one JSON document.

    Raises:
        XanesflowError: one of the files is not a model.
    """
    models = load_models(given)
    if as_json:
        print_result(json.dumps([_describe(model) for model in models], indent=1))
        return
    for model in models:
        print_result(f"{model.name}, seeds {', '.join(map(str, model.hashes))}", style="bold")
        print_result(model.seed_models[0].describe())
        table = Table()
        for name in ("subset", "trained on", "error bars", "distance limit", "evaluated on", "η"):
            table.add_column(name, justify="left" if name in {"subset", "error bars", "evaluated on"} else "right")
        for subset, each in _describe(model)["subsets"].items():
            evidence, limit = each["evidence"], each["distance_limit"]
            table.add_row(
                subset,
                f"{each['n_train']:,}",
                "yes" if each["error_bars"] else "no",
                "-" if limit is None else f"{limit:.2f}",
                "-" if evidence is None else f"{evidence['part']}, {evidence['n']:,}",
                "-" if evidence is None else f"{evidence['eta']:.2f}",
            )
        results().print(table)
        for subset, reason in model.uncalibrated.items():
            print_result(f"{subset}: no error bars: {reason}", style="yellow")


def list_builtin() -> None:
    """Print a row for each model that comes with the package, from its model.json."""
    table = Table(caption="η: how many times smaller the median squared error is than that of the mean spectrum")
    for name in ("model", "predicts", "features", "trained on", "evaluated on", "η"):
        table.add_column(name, justify="right" if name in {"trained on", "η"} else "left")
    for name, folder in builtin_models().items():
        about = read_about(folder)
        for subset, each in about["subsets"].items():
            evidence = each["evidence"]
            scores = ("-", "-") if evidence is None else (f"{evidence['n']:,}", f"{evidence['eta']:.2f}")
            table.add_row(name, subset, about["features"], f"{each['n_train']:,}", *scores)
    results().print(table)


def _describe(model: TrainedEnsemble) -> dict[str, Any]:
    """A model's description in a form that JSON can hold."""
    card = model.card
    found = find_evidence(model)
    return {
        "model": card.kind,
        "of": card.subset,
        "features": card.features,
        "weights": {name: made.get("weights_hash") for name, made in card.featurizers.items()},
        "checkpoints_sha256": {str(seed): sha for seed, sha in model.hashes.items()},
        "dataset_sha256": card.dataset_sha256,
        "versions": card.versions,
        "subsets": {name: describe_subset(model, name, found.get(name)) for name in card.subsets},
    }
