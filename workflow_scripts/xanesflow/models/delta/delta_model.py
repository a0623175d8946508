"""Delta learning: what an expensive level of theory has beyond a cheap one, learned from few expensive spectra.

The cheap run of a site (the embedded engine's, or FEFF's under VASP) has nearly the right spectrum at a slightly wrong
energy. So a prediction is made in the frame of the cheap spectrum B and then moved:

    μ(E) = (B + r)(E - s),      s = shift(x) ± σ,      r = difference(x)

with x the features of the structure, the numbers of the cheap run, and the leading components of its spectrum. Both are
kernel regressions (`models.kernel_ridge`) whose length and noise are chosen by leaving out one material at a time, for
which hundreds of spectra suffice. Learning r in the aligned frame matters: an unaligned difference is mostly the slope
of the spectrum times a shift, which hides what else there is. And the other way round: where B differs in shape, the
shift at which it is most like its partner is off. So shifts and differences are found in turns, each with what
materials left out say of the other. What is predicted is the mean over shifts as uncertain as those of materials left
out, σ.
The idea of learning differences between levels of theory is of Ramakrishnan et al., J. Chem. Theory Comput. 11, 2087
(2015).

A third regression, on the structure alone, serves sites whose cheap run failed, and tells what the cheap run is worth.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.errors import XanesflowError
from xanesflow.core.provenance import versions
from xanesflow.features.cheap_runs.columns import FRAME_POINTS, blocks_of
from xanesflow.models.delta import alignment
from xanesflow.models.kernel_ridge import MOST_SITES, KernelRidge, leave_out_materials
from xanesflow.models.model_kinds import DELTA, ModelCard, TrainedModel
from xanesflow.models.subset_data import SubsetData

Floats = npt.NDArray[np.float64]

FEWEST_PAIRS = 20
"""Training sites with both spectra; with fewer there is nothing to choose lengths and noises on."""

COMPONENTS = 10
"""Of the cheap spectra that the regressions see; more are noise to a kernel."""

WEIGHT_OF_LEVELS = 3.0
"""Of the cheap run's Fermi levels where shifts are learned, which they tell most of (docs/studies/delta.md)."""

TURNS = 3
"""How often shifts and differences are found."""

_FARTHEST_EV = 2.5
"""A training site's own best shift counts as at most so far from the typical one."""

_SHIFT, _DIFFERENCE, _STRUCTURE = "shift.", "difference.", "structure."
_ARRAYS = ("spread_ev", "structure_error", "mean", "axes")


@dataclass(frozen=True)
class DeltaSettings:
    """How a delta model is fitted.

    Attributes:
        cheap_features: those that hold the cheap run, as `feff8l`; the last block of the model's features.
        seed: draws the materials that it learns from, if `share` is below 1.
        share: of the training materials.
    """

    cheap_features: str
    seed: int = 0
    share: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """The settings as a checkpoint holds them, where the first has the name `baseline`."""
        return {"baseline": self.cheap_features, "seed": self.seed, "share": self.share}


@dataclass(frozen=True, eq=False)
class DeltaModel(TrainedModel):
    """A fitted delta model.

    Attributes:
        shift: features -> (n, 1) eV that the cheap spectrum is moved up by.
        difference: features -> (n, 189) bohr², on the frame of the cheap spectrum.
        structure: features of the structure -> (n, 141) bohr².
        spread_ev: (1,) how uncertain shifts are: robust standard deviation of their errors on materials left out, eV.
        structure_error: (141,) root mean square error of `structure` on materials left out, bohr².
        mean, axes: (189,) and (c, 189), mean and scaled principal axes of the training sites' cheap spectra.
    """

    shift: KernelRidge
    difference: KernelRidge
    structure: KernelRidge
    spread_ev: Floats
    structure_error: Floats
    mean: Floats
    axes: Floats

    def shifts_ev(self, features: npt.NDArray[Any]) -> Floats:
        """(n, d) features -> (n,) eV that each cheap spectrum is moved up by."""
        return self.shift.predict(self._inputs(features))[:, 0]

    def moved_cheap_spectra(self, features: npt.NDArray[Any]) -> Floats:
        """(n, d) features -> (n, 141) cheap spectra in bohr², moved but not corrected."""
        return alignment.onto_grid(self._frames(features), self.shifts_ev(features))

    def from_structure_alone(self, features: npt.NDArray[Any]) -> Floats:
        """(n, 141) spectra in bohr² from the structure alone; the columns of the cheap run may hold anything."""
        return np.maximum(self.structure.predict(features[:, : self._n_structure]), 0.0)

    def _spectra(self, features: npt.NDArray[Any]) -> Floats:
        inputs = self._inputs(features)
        corrected = self._frames(features) + self.difference.predict(inputs)
        # A cross section is not negative.
        shifts = self.shift.predict(inputs)[:, 0]
        return np.maximum(alignment.onto_grid_blurred(corrected, shifts, float(self.spread_ev[0])), 0.0)

    def how_trained(self) -> list[str]:  # noqa: D102
        card, settings = self.card, self.card.settings
        found = settings["found"]
        return [
            f"difference to {settings['baseline']}, moved by {found['common_shift_ev']:+.2f} eV on average; shifts of "
            f"materials left out are right to {found['shift_error_ev']:.2f} eV; seed {card.seed}",
            f"fitted to {card.n_train} spectra (validation {card.n_val}), validation error {card.val_mse:.4g} bohr⁴",
        ]

    def tensors(self) -> dict[str, npt.NDArray[Any]]:  # noqa: D102
        own = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        parts = ((_SHIFT, self.shift), (_DIFFERENCE, self.difference), (_STRUCTURE, self.structure))
        return own | {prefix + name: value for prefix, kernel in parts for name, value in kernel.tensors().items()}

    @classmethod
    def from_tensors(
        cls, card: ModelCard, energies_ev: dict[str, Floats], tensors: Mapping[str, npt.NDArray[Any]]
    ) -> DeltaModel:
        """What `tensors` gave, read back from among the arrays of a checkpoint.

        Raises:
            KeyError: a part is missing.
        """
        shift, difference, structure = (_kernel_of(tensors, prefix) for prefix in (_SHIFT, _DIFFERENCE, _STRUCTURE))
        return cls(card, energies_ev, shift, difference, structure, *(tensors[name] for name in _ARRAYS))

    @property
    def _n_structure(self) -> int:
        return sum(list(self.card.feature_dimensions.values())[:-1])

    def _frames(self, features: npt.NDArray[Any]) -> Floats:
        return features[:, self._n_structure : self._n_structure + FRAME_POINTS].astype(np.float64)

    def _inputs(self, features: npt.NDArray[Any]) -> Floats:
        return delta_inputs(features, self._n_structure, self.mean, self.axes)


def _kernel_of(tensors: Mapping[str, npt.NDArray[Any]], prefix: str) -> KernelRidge:
    """The regression whose arrays have a prefix.

    Raises:
        KeyError: there is none.
    """
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    found = KernelRidge.from_tensors(own)
    if found is None:
        raise KeyError(prefix)
    return found


def made_with() -> dict[str, str]:
    """Versions of what a fit depends on."""
    return versions(["scipy"])


def fit_delta(data: SubsetData, settings: DeltaSettings, *, config_json: str | None = None) -> DeltaModel:
    """Fit a delta model to the training part of a subset.

    Args:
        data: with features `<of the structure>+<settings.cheap_features>`.
        settings: see there.
        config_json: the campaign's configuration, to be kept in the checkpoint.

    Raises:
        XanesflowError: the features do not end with those of the cheap run, or there are too few training sites.
    """
    started = time.monotonic()
    *structural, last = data.feature_dimensions
    if last != settings.cheap_features or not structural:
        raise XanesflowError(
            f"A delta model takes features of the structure and then {settings.cheap_features}, not "
            f"{data.features_name}; set `models.delta_from` and `features.models`."
        )
    train = _drawn(data, settings)
    if len(train) < FEWEST_PAIRS:
        raise XanesflowError(
            f"{data.subset} in {data.path} has {len(train)} training sites that have a spectrum and a run of "
            f"{settings.cheap_features}, and a delta model needs {FEWEST_PAIRS}; add finished simulations, or take "
            "`models.kinds: [expert]`."
        )
    n_structure = sum(data.feature_dimensions[name] for name in structural)
    features, spectra = data.features[train].astype(np.float64), data.spectra[train]
    materials = data.materials[train]
    frames = features[:, n_structure : n_structure + FRAME_POINTS]
    mean, axes = components(frames)
    blocks = [data.feature_dimensions[name] for name in structural]
    inputs = delta_inputs(features, n_structure, mean, axes)
    sizes = input_sizes(data.feature_dimensions, len(axes))

    by_levels = [WEIGHT_OF_LEVELS, 1.0] if len(sizes) > len(blocks) + 1 else []
    weights = [*(1.0 for _ in blocks), *by_levels, 1.0]

    def difference_at(shifts: Floats) -> tuple[Floats, KernelRidge]:
        wanted = alignment.into_frame(spectra, shifts) - frames
        return wanted, KernelRidge.fit(inputs, wanted, materials, sizes)

    best = alignment.best_shifts(frames, spectra)
    differences, difference = difference_at(best)
    for _ in range(TURNS - 1):
        corrected = frames + differences - _errors(difference, differences, materials)
        best = alignment.best_shifts(corrected, spectra)
        differences, difference = difference_at(best)
    # A spectrum far from its partner may be most like it at a shift that means nothing.
    typical = float(np.median(best))
    wanted = np.clip(best, typical - _FARTHEST_EV, typical + _FARTHEST_EV)
    shift = KernelRidge.fit(inputs, wanted[:, None], materials, sizes, weights=weights)
    structure = KernelRidge.fit(features[:, :n_structure], spectra, materials, blocks)
    shift_errors = _errors(shift, wanted[:, None], materials)
    spread = np.array([1.4826 * np.median(np.abs(shift_errors))])  # as of a normal distribution
    structure_errors = _errors(structure, spectra, materials)

    val = data.rows("val")
    found = {
        "common_shift_ev": typical,
        "shift_error_ev": float(np.sqrt(np.mean(shift_errors**2))),
        "lengths": [kernel.length for kernel in (shift, difference, structure)],
        "noises": [kernel.noise for kernel in (shift, difference, structure)],
    }
    card = ModelCard(
        kind=DELTA,
        subset=data.subset,
        features=data.features_name,
        feature_dimensions=data.feature_dimensions,
        featurizers=data.featurizers,
        settings={**settings.as_dict(), "found": found},
        scaling="standardise",
        spectra_factor=1.0,
        dataset_sha256=data.file_sha256,
        data_sha256=data.data_sha256,
        n_train=len(train),
        n_val=len(val),
        best_epoch=0,
        learning_rate=0.0,
        val_mse=0.0,
        seconds=0.0,
        history=[],
        versions=made_with(),
        config=json.loads(config_json) if config_json else None,
    )
    error = np.sqrt(np.mean(structure_errors**2, axis=0))
    model = DeltaModel(card, {data.subset: data.energy_ev}, shift, difference, structure, spread, error, mean, axes)
    squares = (model.predict(data.features[val]) - data.spectra[val]) ** 2 if len(val) else np.zeros(1)
    seconds = round(time.monotonic() - started, 1)
    return replace(model, card=replace(card, val_mse=float(squares.mean()), seconds=seconds))


def _errors(kernel: KernelRidge, targets: Floats, materials: npt.NDArray[Any]) -> Floats:
    """Truth less prediction at the training sites of a fit, each with its whole material left out."""
    return leave_out_materials(kernel.matrix(), targets - kernel.mean_spectrum, materials)


def _drawn(data: SubsetData, settings: DeltaSettings) -> npt.NDArray[np.intp]:
    """Rows of the training sites to learn from: all that a kernel takes, or those of materials drawn by the seed."""
    rows = data.rows("train")
    share = min(settings.share, 0.9 * MOST_SITES / max(1, len(rows)))
    if share >= 1:
        return rows
    materials = data.materials[rows]
    names = np.unique(materials)
    drawn = np.random.default_rng(settings.seed).permutation(names)[: max(2, round(share * len(names)))]
    return rows[np.isin(materials, drawn)]


def components(frames: Floats) -> tuple[Floats, Floats]:
    """Mean (189,) and axes (c, 189) of spectra, along which those given have a standard deviation of 1."""
    mean = frames.mean(axis=0)
    _, sizes, axes = np.linalg.svd(frames - mean, full_matrices=False)
    kept = min(COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum()))
    return mean, axes[:kept] * (np.sqrt(len(frames)) / sizes[:kept, None])


def input_sizes(dimensions: Mapping[str, int], n_axes: int) -> list[int]:
    """Columns of each block of `delta_inputs`: of the structure, numbers of the cheap run if it has any, components."""
    *structural, cheap = dimensions.values()
    return [*structural, *(block.shape[1] for block in blocks_of(np.empty((0, cheap - FRAME_POINTS)))), n_axes]


def delta_inputs(features: npt.NDArray[Any], n_structure: int, mean: Floats, axes: Floats) -> Floats:
    """(n, d) features -> what the regressions see: structure, numbers of the cheap run, components of its spectrum."""
    values = features.astype(np.float64)
    frames, numbers = np.split(values[:, n_structure:], [FRAME_POINTS], axis=1)
    return np.hstack([values[:, :n_structure], *blocks_of(numbers), (frames - mean) @ axes.T])
