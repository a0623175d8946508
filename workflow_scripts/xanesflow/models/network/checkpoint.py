"""A trained model on disk: weights, scaling and energy grids, with a record of where it came from."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import TypeAdapter

from xanesflow.config.kinds import DELTA
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.damage import explain_damage, what_is_wrong
from xanesflow.core.errors import SenselessFileError, XanesflowError
from xanesflow.core.foreign_json import parse_json
from xanesflow.core.sites import Subset
from xanesflow.core.standardise import CLIP
from xanesflow.core.tensors_file import read_tensors, write_tensors
from xanesflow.core.text import plural, quoted
from xanesflow.models.kernel_ridge import KernelRidge
from xanesflow.models.model_kinds import KERNEL, ModelCard, TrainedModel
from xanesflow.models.network.perceptron import SpectrumNetwork
from xanesflow.models.network.scaling import Scaling

FORMAT = "xanesflow model 1"
_NETWORK = "network."
_LATER = {"subsets", "start", "asked", "range_test"}  # entries that older checkpoints lack


logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Model(TrainedModel):
    """A trained network.

    Attributes:
        network: the network on the CPU, in evaluation mode. It does not know energies; they belong to the subset.
        scaling: scaling of its features and spectra.
        kernel: the kernel regression whose share of each prediction is `kernel_share`, if that is not 0.
    """

    network: SpectrumNetwork
    scaling: Scaling
    kernel: KernelRidge | None = None

    def _spectra(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        with torch.inference_mode():
            outputs = self.network.eval()(torch.from_numpy(self.scaling.scale_features(features)))
        spectra = self.scaling.unscale_spectra(outputs.numpy())
        if self.kernel is None:
            return spectra
        share = float(self.card.settings["kernel_share"])
        return (1 - share) * spectra + share * self.kernel.predict(features)

    def how_trained(self) -> list[str]:  # noqa: D102
        card, settings = self.card, self.card.settings
        layers = "-".join(str(width) for width in settings["widths"])
        return [
            f"layers {layers}, dropout {settings['dropout']}, scaling {card.scaling}, seed {card.seed}"
            + ("" if self.kernel is None else f"; kernel regression, share {settings['kernel_share']:g}"),
            f"trained on {plural(card.n_train, 'spectrum', 'spectra')} (validation {card.n_val}) with learning rate "
            f"{card.learning_rate:.3g}; epoch {card.best_epoch} of {len(card.history)} kept, "
            f"validation error {card.val_mse:.4g} bohr⁴",
        ]

    def tensors(self) -> dict[str, npt.NDArray[Any]]:  # noqa: D102
        tensors = {_NETWORK + name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        tensors["scaling.feature_mean"] = self.scaling.feature_mean
        tensors["scaling.feature_scale"] = self.scaling.feature_scale
        if self.scaling.projection is not None:
            tensors["scaling.projection"] = self.scaling.projection
        return tensors if self.kernel is None else tensors | self.kernel.tensors()

    @classmethod
    def from_tensors(
        cls, card: ModelCard, energies_ev: dict[str, npt.NDArray[np.float64]], tensors: dict[str, npt.NDArray[Any]]
    ) -> Model:
        """Read a model back from the arrays of a checkpoint.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: a part is missing or does not fit.
        """
        settings = TrainingSettings.from_dict(card.settings)
        scaling = Scaling(
            "paper" if card.scaling == "paper" else "standardise",
            tensors["scaling.feature_mean"],
            tensors["scaling.feature_scale"],
            card.spectra_factor,
            tensors.get("scaling.projection"),
            CLIP if settings.output == "difference" and card.scaling == "standardise" else None,
        )
        n_energies = len(next(iter(energies_ev.values())))
        # On the meta device no initial weights are drawn, so the caller's random numbers stay untouched.
        with torch.device("meta"):
            network = SpectrumNetwork(scaling.n_inputs, settings.widths, n_energies, settings.dropout, settings.output)
        state = {
            name.removeprefix(_NETWORK): torch.from_numpy(array.copy())
            for name, array in tensors.items()
            if name.startswith(_NETWORK)
        }
        network.load_state_dict(state, assign=True)
        return cls(card, energies_ev, network.eval(), scaling, KernelRidge.from_tensors(tensors))


def save_checkpoint(path: str | Path, model: TrainedModel) -> None:
    """Write a model in the safetensors format, either completely or not at all."""
    tensors = model.tensors()
    tensors |= {_energy_key(model.card, subset): energy for subset, energy in model.energies_ev.items()}
    entries = {name: json.dumps(value, sort_keys=True) for name, value in asdict(model.card).items()}
    # The order of the blocks gives the columns their meaning, so this entry must not be sorted.
    entries["feature_dimensions"] = json.dumps(model.card.feature_dimensions)
    write_tensors(path, tensors, {"format": FORMAT, **entries})


def load_checkpoint(path: str | Path) -> TrainedModel:
    """Read a model of any kind.

    Raises:
        XanesflowError: the file cannot be read, is damaged, or is no model of this version of xanesflow.
    """
    tensors, metadata = _read(path)
    if metadata.get("format") != FORMAT:
        raise XanesflowError(
            f"{path} is no model of this version of xanesflow (its format is {quoted(metadata.get('format'))}, not "
            f"'{FORMAT}'); train it again."
        )
    with explain_damage(f"The model file {path} is damaged ({{why}}); train it again."):
        entries = [entry.name for entry in fields(ModelCard) if entry.name in metadata or entry.name not in _LATER]
        card = TypeAdapter(ModelCard).validate_python({name: parse_json(metadata[name]) for name in entries})
        energies_ev = {subset: tensors[_energy_key(card, subset)] for subset in card.subsets}
        if card.kind == DELTA:
            from xanesflow.models.delta.delta_model import DeltaModel  # only imported when it is needed

            model: TrainedModel = DeltaModel.from_tensors(card, energies_ev, tensors)
        elif card.kind == KERNEL:
            from xanesflow.models.kernel_model import KernelModel

            model = KernelModel.from_tensors(card, energies_ev, tensors)
        else:
            model = Model.from_tensors(card, energies_ev, tensors)
        _try(model)
        return model


def _try(model: TrainedModel) -> None:
    """Describe and use a model once: arrays of other shapes, or without numbers, fail here and not in the work.

    Raises:
        Exception: the model is damaged.
    """
    model.how_trained()
    card, width = model.card, sum(model.card.feature_dimensions.values())
    for name, share in card.subsets.items():
        energy = model.energies_ev[str(Subset.parse(name))]
        if int(share["n_train"]) < 0 or int(share["n_val"]) < 0 or not isinstance(share["data_sha256"], str):
            raise ValueError
        if energy.ndim != 1 or len(energy) < 2 or not (np.diff(energy) > 0).all() or not np.isfinite(energy).all():
            raise ValueError
        with np.errstate(all="ignore"):
            found = model._spectra(np.zeros((1, width), dtype=np.float32))
        if found.shape != (1, len(energy)) or not np.isfinite(found).all():
            raise ValueError
    if card.seed < 0 or not all(isinstance(each, dict) for each in card.featurizers.values()):
        raise ValueError


def load_if_there(path: Path) -> TrainedModel | None:
    """The model of a checkpoint, or None if there is none; a file that cannot be used is reported in the log."""
    if not path.exists():
        return None
    try:
        return load_checkpoint(path)
    except XanesflowError as error:
        logger.warning("%s", error)
        return None


def _energy_key(card: ModelCard, subset: str) -> str:
    """Name of the tensor that holds the energies of a subset."""
    return "energy" if subset == card.subset else f"energy.{subset}"


def _read(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """The arrays and the metadata of a safetensors file, each by name."""
    try:
        return read_tensors(path)
    except SenselessFileError as error:
        raise XanesflowError(
            f"{path} is not a model file, or it is damaged ({error}); train the model or copy the file again."
        ) from None
    except OSError as error:
        raise XanesflowError(
            f"The model file {path} cannot be read ({what_is_wrong(error)}); train the model first."
        ) from None
