"""Train an interpreter and read the test part with it."""

from __future__ import annotations

import logging
from pathlib import Path

from xanesflow.core.files import atomic_path
from xanesflow.core.provenance import provenance
from xanesflow.core.tables import write_csv
from xanesflow.interpretation.interpreter import Interpreter
from xanesflow.interpretation.read_test_part import measure_robustness, predict_test
from xanesflow.interpretation.training_data import read_training_data

log = logging.getLogger(__name__)

PACKAGES = ("scikit-learn", "torch", "scipy", "h5py")


def train_interpreter(
    dataset: Path,
    sites: Path,
    *,
    model: str,
    name: str,
    split: str,
    seed: int,
    output: Path,
    predictions: Path,
    robustness: Path,
    config_json: str | None = None,
) -> None:
    """Train an interpreter.

    Args:
        dataset: the campaign's dataset.
        sites: table of `describe_sites`.
        model: `trees`, `network` or `blend`.
        name: a subset, or `all` for all subsets together.
        split: `campaign`, or the seed of a random split by material.
        seed: of its random numbers.
        output: safetensors to write.
        predictions: Parquet to write, with what it reads from the test part.
        robustness: CSV to write, with how well it reads the test part shifted and broadened.
        config_json: the configuration, to be stored in the file.

    Raises:
        XanesflowError: there are too few sites, or nothing is known of them.
    """
    data = read_training_data(dataset, sites, name, split)
    made = provenance([dataset, sites], PACKAGES, config_json)
    interpreter = Interpreter.fit(model, data, split=split, seed=seed, made=made)
    targets = interpreter.targets
    for each in ("oxidation_state", "cn"):
        if each in targets.names and each not in targets.classes:
            log.info("%s: the training sites are of one class of %s, so there are no probabilities", name, each)
    read = predict_test(interpreter, data)
    with atomic_path(predictions) as temporary:
        read.to_parquet(temporary, index=False, compression="zstd")
    robust = measure_robustness(interpreter, data)
    write_csv(robustness, robust)
    interpreter.save(output)
    log.info("%s of %s, split %s: %d training sites", model, name, split, interpreter.card.n_train)


def parse_name(path: Path) -> tuple[str, str, str, int]:
    """Model, subset, split and seed of a file `<model>-<subset>-<split>-<seed>.<suffix>`."""
    model, name, split, seed = path.stem.split("-")
    return model, name, split, int(seed)
