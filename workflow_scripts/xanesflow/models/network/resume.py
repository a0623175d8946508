"""The state of a training on disk, from which an interrupted training continues.

PyTorch would write it as a pickle, which can run code when it is read; so it is a safetensors file.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file

from xanesflow.core.damage import explain_damage
from xanesflow.core.files import atomic_path, sha256_text
from xanesflow.models.network.training_state import TrainingRun

logger = logging.getLogger(__name__)

FORMAT = "xanesflow training 2"


class SavedTraining:
    """Files with the state of a training, one for each seed.

    They belong to one training: each holds a hash of everything on which the training depends, and is ignored if the
    hash differs.
    """

    def __init__(self, folder: Path, depends_on: Mapping[str, Any], *, every: float = 30.0) -> None:
        """Name the files; nothing is read or written yet.

        Args:
            folder: where the files are; it must exist.
            depends_on: data and starts of the training, as plain values that JSON can hold.
            every: seconds between two states of a seed, so that saving costs little.
        """
        self.folder, self.every, self.depends_on = folder, every, depends_on
        self._last: dict[int, float] = {}

    def of_seed(self, run: TrainingRun) -> tuple[Path, str]:
        """The file of a seed, and the hash of what it depends on."""
        settings = replace(run.settings, learning_rate=run.rate).as_dict()
        depends_on = {**self.depends_on, "run": settings, "torch": torch.__version__, "format": FORMAT}
        path = self.folder / f"training_seed{run.settings.seed}.safetensors"
        return path, sha256_text(json.dumps(depends_on, sort_keys=True))

    def save(self, run: TrainingRun) -> None:
        """Write the state, completely or not at all, if the last one is old enough or the training is finished."""
        now, seed = time.monotonic(), run.settings.seed
        if now - self._last.setdefault(seed, now) < self.every and not run.finished:
            return
        path, key = self.of_seed(run)
        tensors = {name: tensor.cpu().contiguous() for name, tensor in run.tensors().items()}
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, {"key": key, "values": json.dumps(run.values())})
        self._last[seed] = now

    def restore(self, run: TrainingRun) -> None:
        """Put a new training into the state of its file, if there is one that can be read and belongs to it.

        Raises:
            XanesflowError: the file belongs to this training, but its content is not what it should be.
        """
        path, key = self.of_seed(run)
        if not path.exists():
            return
        try:
            with safe_open(path, framework="pt") as opened:
                metadata = opened.metadata() or {}
            if metadata.get("key") != key:
                logger.info("%s holds the state of another training; the training begins anew.", path)
                return
            tensors, values = load_file(path), json.loads(metadata["values"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            logger.warning("%s cannot be used (%s); the training begins anew.", path, error)
            return
        with explain_damage(f"{path} is damaged ({{why}}); delete it, and the training begins anew."):
            run.restore(tensors, values)  # where it fails, some of it may be restored
        logger.info("Continuing after epoch %d, from %s.", len(run.epochs), path)

    def remove(self) -> None:
        """Remove all files, also those of earlier versions, once the checkpoints are written."""
        for path in self.folder.glob("training*.safetensors"):
            path.unlink(missing_ok=True)
