"""Kernel ridge regression of spectra: a prediction is a sum over the training sites, weighted by their similarity.

The regression predicts a spectrum as

    mean training spectrum + Σ_i k(|x - x_i|) a_i,        a = (K + noise)⁻¹ (training spectra - their mean)

where x are standardised features, and k(d) = (1 + √3 d/l) exp(-√3 d/l) is the Matérn 3/2 kernel of their distance d.
The block of each featurizer is scaled so that it contributes to squared distances in proportion to the square root of
its number of columns. (If all columns weighed the same, the widest block would decide; if all blocks weighed the same,
the smallest would.)

The regression makes other errors than a perceptron: a perceptron interpolates between distant sites, the regression
remembers close ones. So their mean is better than either (docs/studies/accuracy.md).

Length l and noise are chosen by leaving out one material at a time. This needs no further fit: the error on the sites g
of a material that was left out is (K⁻¹)_gg⁻¹ a_g (Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006,
section 5.4.2, for groups).

scikit-learn gives the distances and no more: its regressions do not leave out groups in closed form, and its Matérn
kernel, which computes distances without matrix products, took 1.1 to 1.3 s for 3,000 sites of 300 numbers, where the
kernel here took 0.2 to 0.6 s.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, lapack

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.standardise import CLIP

LENGTHS = (1.0, 1.5, 2.25)
"""Kernel lengths to choose from. 1 is the distance of two sites one standard deviation apart in the widest block."""

NOISES = (2e-3, 5e-3, 1.25e-2)
"""Noises to choose from, as a share of the variance of the spectra."""

SELECTION_SITES = 4000
"""Length and noise are chosen on at most about this many sites (9 matrices of this size are inverted)."""

MOST_SITES = 14_000
"""With more sites, materials with about this many sites are drawn: the fit holds three matrices of 1.6 GB at a time."""

_KEY = "kernel."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class KernelRidge:
    """A fitted kernel regression.

    Attributes:
        mean, scale: (d,) each; features enter as `(features - mean) * scale`, then they are clipped (see `_inputs`).
        block_scale: (d,) factor of the block to which each feature belongs.
        points: (n, d) float32, inputs of the training sites.
        coefficients: (n, 141) in bohr².
        mean_spectrum: (141,) mean spectrum of the training sites, bohr².
        length, noise: the chosen values.
    """

    mean: Floats
    scale: Floats
    block_scale: Floats
    points: npt.NDArray[np.float32]
    coefficients: Floats
    mean_spectrum: Floats
    length: float
    noise: float

    @classmethod
    def fit(
        cls,
        features: npt.NDArray[np.floating],
        spectra: npt.NDArray[np.floating],
        materials: Sequence[str] | npt.NDArray[np.str_],
        blocks: Sequence[int],
        *,
        weights: Sequence[float] | None = None,
        seed: int = 0,
    ) -> KernelRidge:
        """Fit to training sites. Length and noise are chosen on these sites alone.

        Args:
            features: (n, d).
            spectra: (n, 141) in bohr².
            materials: (n,) the material of each site; at least two different ones.
            blocks: number of columns of each featurizer, in order.
            weights: extra factor for each block in distances; None means 1 for all.
            seed: seed for drawing materials if there are more than SELECTION_SITES or MOST_SITES sites.

        Raises:
            XanesflowError: all sites belong to one material.
        """
        # With too many sites for memory, fit to some of the materials.
        names = np.asarray(materials)
        if len(np.unique(names)) < 2:
            raise XanesflowError(
                f"A kernel regression needs training sites of at least two materials, but these {len(names)} are of "
                "one; add finished simulations, or, for a network, set `models.kernel_share: 0`."
            )
        if len(names) > MOST_SITES:
            rows = _draw(names, MOST_SITES, seed)
            logger.warning("kernel: fitted to %d of the %d training sites, to bound its memory", len(rows), len(names))
            names, features, spectra = names[rows], features[rows], spectra[rows]

        # Scale features and spectra, choose length and noise, and solve for the coefficients.
        values = np.asarray(features, dtype=np.float64)
        mean, scale, block_scale = _scales(values, blocks)
        if weights is not None:
            block_scale = block_scale * np.repeat(weights, blocks)
        points = _inputs(values, mean, scale, block_scale)
        mean_spectrum = spectra.mean(axis=0)
        targets = (spectra - mean_spectrum).astype(np.float64)
        length, noise = _choose(points, targets, names, seed)
        coefficients = cho_solve(cho_factor(_matrix(points, length, noise), lower=True, overwrite_a=True), targets)
        return cls(mean, scale, block_scale, points, coefficients, mean_spectrum, length, noise)

    def matrix(self) -> Floats:
        """(n, n) kernel matrix of the training sites, with the noise on its diagonal."""
        return _matrix(self.points, self.length, self.noise)

    def predict(self, features: npt.NDArray[np.floating]) -> Floats:
        """(n, d) features -> (n, 141) spectra in bohr²."""
        points = _inputs(np.asarray(features, dtype=np.float64), self.mean, self.scale, self.block_scale)
        spectra: Floats = self.mean_spectrum + _kernel(_distances(points, self.points), self.length) @ self.coefficients
        return spectra

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """All attributes as named arrays for a checkpoint, in C order because safetensors writes memory unchanged."""
        return {_KEY + name: np.array(value, order="C") for name, value in vars(self).items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> KernelRidge | None:
        """Read a regression back from the arrays of a checkpoint; None if the checkpoint has none.

        Raises:
            KeyError: a part of the regression is missing.
        """
        if not any(name.startswith(_KEY) for name in tensors):
            return None
        parts: dict[str, Any] = {field.name: tensors[_KEY + field.name] for field in fields(cls)}
        return cls(**{**parts, "length": float(parts["length"]), "noise": float(parts["noise"])})


def standardised_inputs(features: npt.NDArray[np.floating], blocks: Sequence[int]) -> npt.NDArray[np.float32]:
    """(n, d) features, scaled as for a regression that is fitted to all of them; `blocks` as in `KernelRidge.fit`."""
    values = np.asarray(features, dtype=np.float64)
    return _inputs(values, *_scales(values, blocks))


def kernel_between(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating], length: float) -> Floats:
    """(n, m) Matérn 3/2 kernel of (n, d) and (m, d) points."""
    return _kernel(_distances(left, right), length)


def leave_out_materials(matrix: Floats, targets: Floats, materials: npt.NDArray[Any]) -> Floats:
    """The error at each site if the whole material of that site were left out of the fit.

    Args:
        matrix: (n, n) kernel matrix with the noise on its diagonal; it is overwritten.
        targets: (n, 141), with mean 0.
        materials: (n,) the material of each site.

    Returns:
        (n, 141) truth minus prediction. The mean of the targets remains that of all sites.

    Raises:
        XanesflowError: the matrix cannot be inverted.
    """
    factor, info = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    inverse, info_inverse = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if info or info_inverse:
        raise XanesflowError(
            "The matrix of the kernel cannot be inverted; check that all features are finite numbers "
            "(xanesflow dataset validate)."
        )
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    errors = inverse @ targets
    order = np.argsort(materials, kind="stable")
    ends = np.flatnonzero(materials[order][1:] != materials[order][:-1]) + 1
    for sites in np.split(order, ends):
        errors[sites] = np.linalg.solve(inverse[np.ix_(sites, sites)], errors[sites])
    return errors


def _choose(
    points: npt.NDArray[np.float32], targets: Floats, materials: npt.NDArray[Any], seed: int
) -> tuple[float, float]:
    """Choose the length and noise with the smallest error on materials that are left out.

    The error is the mean over materials of the logarithm of their mean squared errors. So every material counts once,
    as in a split by material, and one bad material does not outweigh a hundred others.
    """
    rows = _draw(materials, SELECTION_SITES, seed)
    of_site = np.unique(materials[rows], return_inverse=True)[1]
    distances, count = _distances(points[rows], points[rows]), np.bincount(of_site)
    found = {}
    for length in LENGTHS:
        kernel = _kernel(distances, length)
        for noise in NOISES:
            matrix = kernel.copy()
            matrix[np.diag_indices_from(matrix)] += noise
            errors = leave_out_materials(matrix, targets[rows], materials[rows])
            of_material = np.bincount(of_site, (errors**2).mean(axis=1)) / count
            found[length, noise] = float(np.log(of_material + np.finfo(float).tiny).mean())
    length, noise = min(found, key=lambda pair: found[pair])
    logger.info("kernel: length %g, noise %g, chosen on %d sites of %d", length, noise, len(rows), len(materials))
    return length, noise


def _draw(materials: npt.NDArray[Any], sites: int, seed: int) -> npt.NDArray[np.intp]:
    """Rows of all sites of materials drawn at random, about `sites` rows; all rows if there are no more than that."""
    names, of_site = np.unique(materials, return_inverse=True)
    share = min(1.0, sites / len(materials))
    drawn = np.random.default_rng(seed).permutation(len(names))[: max(2, round(share * len(names)))]
    return np.flatnonzero(np.isin(of_site, drawn))


def _scales(values: Floats, blocks: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Mean, 1 / standard deviation (0 for a constant feature) and block factor of each feature, (d,) each."""
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    constant = deviation <= 1e-6 * np.maximum(np.abs(values).max(axis=0), np.finfo(np.float32).tiny)
    scale = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation))
    sizes = np.asarray(blocks, dtype=np.float64)
    return mean, scale, np.repeat((sizes / sizes.max()) ** 0.25 / np.sqrt(sizes), blocks)


def _inputs(values: Floats, mean: Floats, scale: Floats, block_scale: Floats) -> npt.NDArray[np.float32]:
    inputs: npt.NDArray[np.float32] = (np.clip((values - mean) * scale, -CLIP, CLIP) * block_scale).astype(np.float32)
    return inputs


def _distances(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> Floats:
    """(n, d), (m, d) -> (n, m) Euclidean distances."""
    if not len(left):
        return np.zeros((0, len(right)))  # scikit-learn refuses it

    from sklearn.metrics import euclidean_distances  # the import takes half a second, and most models do not need it

    found: Floats = euclidean_distances(left.astype(np.float64), right.astype(np.float64))
    return found


def _matrix(points: npt.NDArray[np.float32], length: float, noise: float) -> Floats:
    matrix = _kernel(_distances(points, points), length)
    matrix[np.diag_indices_from(matrix)] += noise
    return matrix


def _kernel(distances: Floats, length: float) -> Floats:
    """Matérn 3/2 kernel of distances."""
    scaled = distances * (np.sqrt(3.0) / length)
    kernel: Floats = np.exp(-scaled)
    scaled += 1.0
    kernel *= scaled
    return kernel
