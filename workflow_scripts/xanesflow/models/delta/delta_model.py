"""Delta learning: learn the difference between an expensive and a cheap level of theory from few expensive spectra.

The cheap run of a site (by the embedded engine, or by FEFF if the target is VASP) gives nearly the right spectrum at a
slightly wrong energy. So the model corrects the cheap spectrum B and then shifts it:

    μ(E) = (B + r)(E - s),      s = shift(x) ± σ,      r = difference(x)

where x are the features of the structure, the numbers of the cheap run, and the leading principal components of its
spectrum. Shift and difference are kernel regressions (`models.kernel_ridge`). Their length and noise are chosen by
leaving out one material at a time, for which hundreds of spectra suffice.

The model learns r after alignment, because an unaligned difference is mostly the slope of the spectrum times the shift,
which hides everything else. Conversely, where B differs in shape, the shift that fits best is wrong. So the fit finds
shifts and differences in turns, and each turn uses the differences predicted for materials that are left out. σ is the
uncertainty of the shifts of materials that are left out, and the prediction is the mean over shifts of that
uncertainty.

Ramakrishnan et al., J. Chem. Theory Comput. 11, 2087 (2015), proposed to learn differences between levels of theory.

A third regression, on the structure alone, serves sites whose cheap run failed, and shows how much the cheap run helps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.config.kinds import DELTA
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.provenance import versions
from xanesflow.core.text import plural
from xanesflow.features.cheap_runs.columns import FRAME_POINTS, blocks_of
from xanesflow.models.delta import alignment
from xanesflow.models.kernel_ridge import MOST_SITES, KernelRidge, leave_out_materials
from xanesflow.models.model_kinds import ModelCard, TrainedModel
from xanesflow.models.subset_data import SubsetData

FEWEST_PAIRS = 20
"""The fewest training sites with both spectra, of which each of several seeds learns from a share."""

COMPONENTS = 10
"""Number of principal components of the cheap spectra that the regressions use; more are noise to a kernel."""

WEIGHT_OF_LEVELS = 3.0
"""Weight of the cheap run's Fermi levels in the regression of shifts, which depend on them (docs/studies/delta.md)."""

TURNS = 3
"""Number of turns in which shifts and differences are found."""

_FARTHEST_EV = 2.5
"""The best shift of a training site is clipped to this distance from the typical shift."""

_SHIFT, _DIFFERENCE, _STRUCTURE = "shift.", "difference.", "structure."
_ARRAYS = ("spread_ev", "structure_error", "mean", "axes")


@dataclass(frozen=True)
class DeltaSettings:
    """How a delta model is fitted."""

    cheap_features: str  # features that hold the cheap run, such as `feff8l`; the last block of the model's features
    seed: int = 0  # seed for drawing the training materials, if `share` is below 1
    share: float = 1.0  # share of the training materials to learn from

    def as_dict(self) -> dict[str, Any]:
        """The settings as a checkpoint stores them; there `cheap_features` has the name `baseline`."""
        return {"baseline": self.cheap_features, "seed": self.seed, "share": self.share}


@dataclass(frozen=True, eq=False)
class DeltaModel(TrainedModel):
    """A fitted delta model.

    Attributes:
        shift: inputs -> (n, 1) eV by which to shift the cheap spectrum up.
        difference: inputs -> (n, 189) bohr², on the frame of the cheap spectrum.
        structure: features of the structure -> (n, 141) bohr².
        spread_ev: (1,) uncertainty of the shifts: robust standard deviation of the errors on left-out materials, eV.
        structure_error: (141,) root mean square error of `structure` on left-out materials, bohr².
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
        """(n, d) features -> (n,) eV by which to shift each cheap spectrum up."""
        return self.shift.predict(self._inputs(features))[:, 0]

    def moved_cheap_spectra(self, features: npt.NDArray[Any]) -> Floats:
        """(n, d) features -> (n, 141) cheap spectra in bohr², shifted but not corrected."""
        return alignment.onto_grid(self._frames(features), self.shifts_ev(features))

    def from_structure_alone(self, features: npt.NDArray[Any]) -> Floats:
        """(n, 141) spectra in bohr² from the structure alone; the columns of the cheap run are ignored."""
        return np.maximum(self.structure.predict(features[:, : self._n_structure]), 0.0)

    def _spectra(self, features: npt.NDArray[Any]) -> Floats:
        inputs = self._inputs(features)
        corrected = self._frames(features) + self.difference.predict(inputs)
        return alignment.onto_grid_blurred(corrected, self.shift.predict(inputs)[:, 0], float(self.spread_ev[0]))

    def how_trained(self) -> list[str]:  # noqa: D102
        card, settings = self.card, self.card.settings
        found = settings["found"]
        return [
            f"difference to {settings['baseline']}, typical shift {found['common_shift_ev']:+.2f} eV; error of the "
            f"shifts of left-out materials {found['shift_error_ev']:.2f} eV; seed {card.seed}",
            f"fitted to {plural(card.n_train, 'spectrum', 'spectra')} (validation {card.n_val}), validation error "
            f"{card.val_mse:.4g} bohr⁴",
        ]

    def tensors(self) -> dict[str, npt.NDArray[Any]]:  # noqa: D102
        own = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        parts = ((_SHIFT, self.shift), (_DIFFERENCE, self.difference), (_STRUCTURE, self.structure))
        return own | {prefix + name: value for prefix, kernel in parts for name, value in kernel.tensors().items()}

    @classmethod
    def from_tensors(
        cls, card: ModelCard, energies_ev: dict[str, Floats], tensors: Mapping[str, npt.NDArray[Any]]
    ) -> DeltaModel:
        """Read a model back from the arrays of a checkpoint.

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
    """The regression whose arrays have this prefix.

    Raises:
        KeyError: there is none.
    """
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    found = KernelRidge.from_tensors(own)
    if found is None:
        raise KeyError(prefix)
    return found


def made_with() -> dict[str, str]:
    """Versions of the packages on which a fit depends."""
    return versions(["scipy"])


def fit_delta(data: SubsetData, settings: DeltaSettings, *, config_json: str | None = None) -> DeltaModel:
    """Fit a delta model to the training part of a subset.

    Args:
        data: a subset whose features are `<of the structure>+<settings.cheap_features>`.
        settings: settings of the fit.
        config_json: the campaign's configuration, to be stored in the checkpoint.

    Raises:
        XanesflowError: the features do not end with those of the cheap run, or there are too few training sites.
    """
    # Check that the last features are those of the cheap run, and that there are enough sites.
    started = time.monotonic()
    *structural, last = data.feature_dimensions
    if last != settings.cheap_features or not structural:
        raise XanesflowError(
            f"A delta model takes features of the structure and then {settings.cheap_features}, not "
            f"{data.features_name}; set `models.delta_from` and `features.models`."
        )
    if (number := len(data.rows("train"))) < FEWEST_PAIRS:
        raise XanesflowError(
            f"{data.subset} in {data.path} has {plural(number, 'training site')} that have a spectrum and a run of "
            f"{settings.cheap_features}, but a delta model needs {FEWEST_PAIRS}; add finished simulations, call "
            "`xanesflow retry` where simulations failed, or set `models.kinds: [expert]`."
        )
    train = _drawn(data, settings)
    materials = data.materials[train]
    if len(np.unique(materials)) < 2:
        raise XanesflowError(
            f"{data.subset} in {data.path}: all {len(train)} training sites are of {materials[0]}, but a delta model "
            "needs at least two materials; add simulations of others, or set `models.kinds: [expert]`."
        )

    # Take the features apart: structure, cheap spectrum (`frames`), numbers of the cheap run. Where these numbers
    # include Fermi levels of several iterations, these weigh more in the regression of shifts.
    n_structure = sum(data.feature_dimensions[name] for name in structural)
    features, spectra = data.features[train].astype(np.float64), data.spectra[train]
    frames = features[:, n_structure : n_structure + FRAME_POINTS]
    mean, axes = components(frames)
    blocks = [data.feature_dimensions[name] for name in structural]
    inputs = delta_inputs(features, n_structure, mean, axes)
    sizes = input_sizes(data.feature_dimensions, len(axes))
    weights = [1.0] * len(sizes)
    if len(sizes) > len(blocks) + 2:  # two blocks of numbers, and the first has the levels
        weights[len(blocks)] = WEIGHT_OF_LEVELS

    def difference_at(shifts: Floats) -> tuple[Floats, KernelRidge]:
        wanted = alignment.into_frame(spectra, shifts) - frames
        return wanted, KernelRidge.fit(inputs, wanted, materials, sizes)

    # Find shifts and differences in turns. Each turn aligns the cheap spectra after correcting them with the
    # differences that are predicted for left-out materials.
    best = alignment.best_shifts(frames, spectra)
    differences, difference = difference_at(best)
    for _ in range(TURNS - 1):
        corrected = frames + differences - _errors(difference, differences, materials)
        best = alignment.best_shifts(corrected, spectra)
        differences, difference = difference_at(best)

    # Fit the regression of shifts and the one on the structure alone. Shifts are clipped, because a spectrum that is
    # very different from its partner may fit best at a meaningless shift.
    typical = float(np.median(best))
    wanted = np.clip(best, typical - _FARTHEST_EV, typical + _FARTHEST_EV)
    shift = KernelRidge.fit(inputs, wanted[:, None], materials, sizes, weights=weights)
    structure = KernelRidge.fit(features[:, :n_structure], spectra, materials, blocks)

    # Estimate the uncertainty of both from the errors on left-out materials.
    shift_errors = _errors(shift, wanted[:, None], materials)
    spread = np.array([1.4826 * np.median(np.abs(shift_errors))])  # standard deviation, if errors are normal
    structure_errors = _errors(structure, spectra, materials)

    # Describe the fit in the model card. The validation error and the time follow once there is a model.
    val = data.rows("val")
    found = {
        "common_shift_ev": typical,
        "shift_error_ev": float(np.sqrt(np.mean(shift_errors**2))),
        "lengths": [kernel.length for kernel in (shift, difference, structure)],
        "noises": [kernel.noise for kernel in (shift, difference, structure)],
    }
    card = ModelCard.of_regression(
        DELTA,
        data,
        {**settings.as_dict(), "found": found},
        n_train=len(train),
        versions=made_with(),
        config_json=config_json,
    )
    error = np.sqrt(np.mean(structure_errors**2, axis=0))
    model = DeltaModel(card, {data.subset: data.energy_ev}, shift, difference, structure, spread, error, mean, axes)
    squares = (model.predict(data.features[val]) - data.spectra[val]) ** 2 if len(val) else np.zeros(1)
    seconds = round(time.monotonic() - started, 1)
    return replace(model, card=replace(card, val_mse=float(squares.mean()), seconds=seconds))


def _errors(kernel: KernelRidge, targets: Floats, materials: npt.NDArray[Any]) -> Floats:
    """Truth minus prediction at the training sites of a fit, if the whole material of each site were left out."""
    return leave_out_materials(kernel.matrix(), targets - kernel.mean_spectrum, materials)


def _drawn(data: SubsetData, settings: DeltaSettings) -> npt.NDArray[np.intp]:
    """Rows of the training sites to learn from: all, or those of materials drawn at random (see `share`)."""
    rows = data.rows("train")
    share = min(settings.share, 0.9 * MOST_SITES / max(1, len(rows)))
    if share >= 1:
        return rows
    materials = data.materials[rows]
    names = np.unique(materials)
    drawn = np.random.default_rng(settings.seed).permutation(names)[: max(2, round(share * len(names)))]
    return rows[np.isin(materials, drawn)]


def components(frames: Floats) -> tuple[Floats, Floats]:
    """Mean (189,) and axes (c, 189) of spectra; along each axis these spectra have a standard deviation of 1."""
    mean = frames.mean(axis=0)
    _, sizes, axes = np.linalg.svd(frames - mean, full_matrices=False)
    kept = min(COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum()))
    return mean, axes[:kept] * (np.sqrt(len(frames)) / sizes[:kept, None])


def input_sizes(dimensions: Mapping[str, int], n_axes: int) -> list[int]:
    """Columns of each block of `delta_inputs`: structure, numbers of the cheap run (if it has any), components."""
    *structural, cheap = dimensions.values()
    return [*structural, *(block.shape[1] for block in blocks_of(np.empty((0, cheap - FRAME_POINTS)))), n_axes]


def delta_inputs(features: npt.NDArray[Any], n_structure: int, mean: Floats, axes: Floats) -> Floats:
    """(n, d) features -> inputs of the regressions: structure, numbers of the cheap run, components of its spectrum."""
    values = features.astype(np.float64)
    frames, numbers = np.split(values[:, n_structure:], [FRAME_POINTS], axis=1)
    return np.hstack([values[:, :n_structure], *blocks_of(numbers), (frames - mean) @ axes.T])
