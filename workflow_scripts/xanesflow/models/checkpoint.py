"""A trained model on disk: weights, scaling and energy grids, with everything that tells where it came from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from xanesflow.errors import XanesflowError
from xanesflow.files import atomic_path
from xanesflow.models.kernel import KernelRidge
from xanesflow.models.network import SpectrumNetwork
from xanesflow.models.scaling import LIMIT, Scaling
from xanesflow.models.settings import TrainingSettings

FORMAT = "xanesflow model 1"
_NETWORK = "network."
_LATER = {"subsets", "start", "asked", "range_test"}  # entries that older checkpoints lack


@dataclass(frozen=True)
class ModelCard:
    """What a model is and where it came from; each entry is JSON text in the checkpoint's metadata.

    Attributes:
        kind: `expert`, `universal` or `tuned`.
        subset: what it is a model of: a subset, as `Cu_FEFF`, or, if it is universal, a level of theory, as `FEFF`.
        features: as `m3gnet` or `m3gnet_all+chgnet`.
        feature_dimensions: numbers per site of each featurizer, in order.
        featurizers: what the dataset said of each, with the weights' hash.
        settings: `TrainingSettings` as a dictionary, the seed among them.
        scaling: `paper` or `standardise`.
        spectra_factor: of the scaling, per bohr².
        dataset_sha256: of the dataset file.
        data_sha256: of the subset's arrays (see `SubsetData`); of several subsets, over their hashes.
        n_train: spectra that it was trained on, of all its subsets.
        n_val: spectra that stopped the training, of all its subsets.
        best_epoch: the epoch whose weights these are.
        learning_rate: that was used, found or given.
        val_mse: mean squared error of the network on the validation part in bohr⁴.
        seconds: that the training lasted.
        history: rows of epoch, training and validation mean squared error in bohr⁴.
        versions: of xanesflow, python, torch and numpy.
        config: the campaign's configuration, if it was given.
        subsets: those that it covers, with `n_train`, `n_val` and `data_sha256` of each. A checkpoint without this
            entry (of xanesflow 0.1) is of an expert and covers `subset`.
        asked: the settings as they were asked for, but for the seed; in `settings` the batch may be smaller, where
            memory did not suffice.
        range_test: rates, losses, suggestion and whether it was found, if there was a range test.
        start: the model whose weights and scaling the training began with, if it had one: kind, subset, seed, sha256.
    """

    kind: str
    subset: str
    features: str
    feature_dimensions: dict[str, int]
    featurizers: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    scaling: str
    spectra_factor: float
    dataset_sha256: str
    data_sha256: str
    n_train: int
    n_val: int
    best_epoch: int
    learning_rate: float
    val_mse: float
    seconds: float
    history: list[list[float]]
    versions: dict[str, str]
    config: dict[str, Any] | None = field(default=None)
    subsets: dict[str, dict[str, Any]] = field(default_factory=dict)
    start: dict[str, Any] | None = field(default=None)
    asked: dict[str, Any] = field(default_factory=dict)
    range_test: dict[str, Any] | None = field(default=None)

    def __post_init__(self) -> None:
        if not self.subsets:
            share = {"n_train": self.n_train, "n_val": self.n_val, "data_sha256": self.data_sha256}
            object.__setattr__(self, "subsets", {self.subset: share})

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return int(self.settings["seed"])


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model, ready to predict.

    Attributes:
        card: what it is.
        network: on the CPU, in evaluation mode.
        scaling: of its features and spectra.
        energies_ev: (141,) absolute energies in eV of what it predicts, by subset. The network does not know them:
            the grid of a prediction is that of the site's own subset.
        kernel: the kernel regression that has `kernel_share` of each prediction, if that is not 0.
    """

    card: ModelCard
    network: SpectrumNetwork
    scaling: Scaling
    energies_ev: dict[str, npt.NDArray[np.float64]]
    kernel: KernelRidge | None = None

    @property
    def energy_ev(self) -> npt.NDArray[np.float64]:
        """(141,) the grid in eV of a model with one subset.

        Raises:
            XanesflowError: it covers several, each with a grid of its own.
        """
        if len(self.energies_ev) > 1:
            raise XanesflowError(
                f"This {self.card.kind} model covers {', '.join(self.energies_ev)}, each with energies of its own; "
                "ask for those of one subset (energy_of)."
            )
        return next(iter(self.energies_ev.values()))

    def energy_of(self, subset: str) -> npt.NDArray[np.float64]:
        """(141,) absolute energies in eV of the spectra that it predicts for sites of `subset`, as `Cu_FEFF`.

        Raises:
            XanesflowError: the model was not trained on this subset.
        """
        if subset not in self.energies_ev:
            raise XanesflowError(
                f"This {self.card.kind} model covers {', '.join(self.energies_ev)} and knows nothing of {subset}; "
                "train a model with it."
            )
        return self.energies_ev[subset]

    def predict(self, features: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Spectra from features.

        Args:
            features: (n, d), the featurizers' blocks in the order of the model's features.

        Returns:
            (n, 141) cross sections in bohr², on the energies of the sites' subset (`energy_of`).

        Raises:
            XanesflowError: the features have another dimension than the model's, or are no finite numbers.
        """
        values = np.asarray(features)
        wanted = sum(self.card.feature_dimensions.values())
        if values.ndim != 2 or values.shape[1] != wanted:
            raise XanesflowError(
                f"This {self.card.kind} model of {self.card.subset} takes {self.card.features} features, "
                f"(n, {wanted}), but was given {values.shape}; compute its features for your sites."
            )
        if not np.isfinite(values).all():
            raise XanesflowError(
                f"The features given to the {self.card.kind} model of {self.card.subset} hold values that are no "
                "finite numbers; compute them again."
            )
        with torch.inference_mode():
            outputs = self.network.eval()(torch.from_numpy(self.scaling.scale_features(values)))
        spectra = self.scaling.unscale_spectra(outputs.numpy())
        if self.kernel is None:
            return spectra
        share = float(self.card.settings["kernel_share"])
        return (1 - share) * spectra + share * self.kernel.predict(values)

    def describe(self) -> str:
        """What the model is, in a few lines."""
        card, settings = self.card, self.card.settings
        blocks = " + ".join(f"{name} ({size})" for name, size in card.feature_dimensions.items())
        layers = "-".join(str(width) for width in settings["widths"])
        grids = "; ".join(
            f"{subset} {len(energy)} energies, {energy[0]:.3f} to {energy[-1]:.3f} eV"
            for subset, energy in self.energies_ev.items()
        )
        return "\n".join(
            [
                f"{card.kind} model of {card.subset}: {blocks} -> {grids}",
                f"layers {layers}, dropout {settings['dropout']}, scaling {card.scaling}, seed {card.seed}"
                + ("" if self.kernel is None else f"; kernel regression, share {settings['kernel_share']:g}"),
                f"trained on {card.n_train} spectra (validation {card.n_val}) with learning rate "
                f"{card.learning_rate:.3g}; epoch {card.best_epoch} of {len(card.history)} kept, "
                f"validation error {card.val_mse:.4g} bohr⁴",
                f"dataset {card.dataset_sha256[:12]}, "
                + ", ".join(f"{name} {version}" for name, version in card.versions.items()),
            ]
        )


def save_checkpoint(path: str | Path, model: Model) -> None:
    """Write a model, whole or not at all, in the safetensors format."""
    tensors: dict[str, npt.NDArray[Any]] = {
        _NETWORK + name: tensor.numpy() for name, tensor in model.network.state_dict().items()
    }
    tensors["scaling.feature_mean"] = model.scaling.feature_mean
    tensors["scaling.feature_scale"] = model.scaling.feature_scale
    if model.scaling.projection is not None:
        tensors["scaling.projection"] = model.scaling.projection
    if model.kernel is not None:
        tensors |= model.kernel.tensors()
    tensors |= {_energy_key(model.card, subset): energy for subset, energy in model.energies_ev.items()}
    entries = {name: json.dumps(value, sort_keys=True) for name, value in asdict(model.card).items()}
    # The order of the blocks is what the features' columns mean, so it must survive the sorting of keys.
    entries["feature_dimensions"] = json.dumps(model.card.feature_dimensions)
    with atomic_path(path) as temporary:
        # It writes an array of another order as if it were of this one, without a word.
        in_order = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
        save_file(in_order, temporary, metadata={"format": FORMAT, **entries})


def load_checkpoint(path: str | Path) -> Model:
    """Read a model; the file alone says what it is.

    Raises:
        XanesflowError: the file cannot be read, is damaged, or is no model of this version of xanesflow.
    """
    tensors, metadata = _read(path)
    if metadata.get("format") != FORMAT:
        raise XanesflowError(
            f"{path} is no model of this version of xanesflow (its format is {metadata.get('format')!r}, wanted "
            f"'{FORMAT}'); train it again."
        )
    try:
        entries = [entry.name for entry in fields(ModelCard) if entry.name in metadata or entry.name not in _LATER]
        card = ModelCard(**{name: json.loads(metadata[name]) for name in entries})
        energies_ev = {subset: tensors[_energy_key(card, subset)] for subset in card.subsets}
        n_energies = len(next(iter(energies_ev.values())))
        settings = TrainingSettings.from_dict(card.settings)
        scaling = Scaling(
            "paper" if card.scaling == "paper" else "standardise",
            tensors["scaling.feature_mean"],
            tensors["scaling.feature_scale"],
            card.spectra_factor,
            tensors.get("scaling.projection"),
            LIMIT if settings.output == "difference" and card.scaling == "standardise" else None,
        )
        # No weights are drawn only to be overwritten, and so no random numbers of the caller's are used up.
        with torch.device("meta"):
            network = SpectrumNetwork(scaling.n_inputs, settings.widths, n_energies, settings.dropout, settings.output)
        state = {
            name.removeprefix(_NETWORK): torch.from_numpy(array.copy())
            for name, array in tensors.items()
            if name.startswith(_NETWORK)
        }
        network.load_state_dict(state, assign=True)
        kernel = KernelRidge.from_tensors(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise XanesflowError(f"The model file {path} is damaged ({error}); train it again.") from None
    return Model(card, network.eval(), scaling, energies_ev, kernel)


def _energy_key(card: ModelCard, subset: str) -> str:
    """Name of the tensor with a subset's grid."""
    return "energy" if subset == card.subset else f"energy.{subset}"


def _read(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """The arrays and the text of a safetensors file, each by name."""
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except OSError as error:
        raise XanesflowError(f"The model file {path} cannot be read ({error}); train the model first.") from None
    except SafetensorError as error:
        raise XanesflowError(
            f"{path} is not a model file, or it is damaged ({error}); train the model again or fetch the file anew."
        ) from None
