"""The state of a training on disk, from which an interrupted training continues."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file
from torch import Tensor

from xanesflow.core.files import atomic_path
from xanesflow.models.network.range_test import RangeTest

if TYPE_CHECKING:
    from xanesflow.models.network.training_state import TrainingRun

logger = logging.getLogger(__name__)

FORMAT = "xanesflow training 1"
_BEST = "best."


class SavedTraining:
    """A file with the state of a training, in the safetensors format.

    The file belongs to one training: it holds a hash of everything on which the training depends, and is ignored if
    the hash differs.
    """

    def __init__(self, path: str | Path, depends_on: Mapping[str, Any], *, every: float = 30.0) -> None:
        """Name the file; nothing is read or written yet.

        Args:
            path: the file; its folder must exist.
            depends_on: data, settings, seeds and start of the training, as plain values that JSON can hold.
            every: seconds between two states, so that saving costs little.
        """
        self.path, self.every = Path(path), every
        text = json.dumps({**depends_on, "torch": torch.__version__, "format": FORMAT}, sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest()
        self._last = time.monotonic()

    def of_group(self, number: int) -> SavedTraining:
        """The file for one of several training runs that go on at the same time."""
        other = copy(self)
        if number:
            other.path, other.key = self.path.with_stem(f"{self.path.stem}_{number}"), f"{self.key} {number}"
        return other

    def save(self, run: TrainingRun, *, at_once: bool = False) -> None:
        """Write the state, completely or not at all, if the last one is old enough or `at_once` is set."""
        if time.monotonic() - self._last < self.every and not at_once:
            return
        tensors = {f"members.{name}": tensor for name, tensor in run.networks.state_dict().items()}
        if run.average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in run.average.state_dict().items()}
        for number, moments in enumerate(run.optimizer.state):
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in moments.items()}
        for index, weights in enumerate(run.best_weights):
            tensors |= {f"{_BEST}{index}.{name}": tensor for name, tensor in weights.items()}
            tensors |= {f"orders.{index}": run.batch_generators[index].get_state()}
            tensors |= {f"masks.{index}": run.masks[index].get_state()}
        state = {
            "batch_size": run.settings.batch_size,
            "active": run.active,
            "rate": run.rate,
            "seconds": run.seconds,
            "epochs": [[list(asdict(epoch).values()) for epoch in epochs] for epochs in run.epochs],
            "range_test": None if run.range_test is None else run.range_test.as_dict(),
        }
        metadata = {"format": FORMAT, "key": self.key, "state": json.dumps(state)}
        with atomic_path(self.path) as temporary:
            save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, temporary, metadata)
        self._last = time.monotonic()

    def restore(self, run: TrainingRun) -> bool:
        """Put a new training into the state that the file holds.

        Returns:
            Whether that worked: False if there is no such file, it is damaged, or it belongs to another training.
        """
        if not self.path.exists():
            return False
        try:
            with safe_open(self.path, framework="pt") as opened:
                metadata = opened.metadata() or {}
            if metadata.get("key") != self.key:
                logger.info("%s holds the state of another training; the training begins anew.", self.path)
                return False
            state, tensors = json.loads(metadata["state"]), load_file(self.path)
            if state["batch_size"] != run.settings.batch_size:
                return False
            _fill(run, state, tensors)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            logger.warning("%s cannot be used (%s); the training begins anew.", self.path, error)
            return False
        logger.info("Continuing after epoch %d, from %s.", max(len(epochs) for epochs in run.epochs), self.path)
        return True

    def remove(self) -> None:
        """Remove the files of all runs, once the training is finished."""
        for path in self.path.parent.glob(f"{self.path.stem}*{self.path.suffix}"):
            path.unlink(missing_ok=True)


def _fill(run: TrainingRun, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Put a state into a training.

    Raises:
        KeyError, ValueError: a part of the state is missing or does not fit.
    """
    from xanesflow.models.network.training_state import Epoch

    def under(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    if len(state["active"]) < len(run.active):
        run.keep(state["active"])
    if run.active:
        run.networks.load_state_dict(under("members."))
        if run.average is not None:
            run.average.load_state_dict(under("average."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in under("optimizer.").items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = tensor
        run.optimizer.load([moments[number] for number in sorted(moments)])
    run.rate, run.seconds_before = state["rate"], state["seconds"]
    run.epochs = [[Epoch(*values) for values in epochs] for epochs in state["epochs"]]
    if tested := state["range_test"]:
        run.range_test = RangeTest.from_dict(tested)
    for index, epochs in enumerate(run.epochs):
        run.best[index] = epochs[epochs[-1].best - 1]
        run.best_weights[index] = under(f"{_BEST}{index}.")
        run.batch_generators[index].set_state(tensors[f"orders.{index}"])
        run.masks[index].set_state(tensors[f"masks.{index}"])
