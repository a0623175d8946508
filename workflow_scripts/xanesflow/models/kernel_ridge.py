"""Kernel ridge regression of spectra: what the training sites that look alike have, weighed by their likeness.

With standardised features x, the block of each featurizer scaled so that it adds to squared distances in proportion to
the root of its number of columns (all columns alike would let the widest block decide, all blocks alike the smallest),
and the Matérn 3/2 kernel k(d) = (1 + √3 d/l) exp(-√3 d/l) of distances d, a spectrum is predicted as

    mean training spectrum + Σ_i k(|x - x_i|) a_i,        a = (K + noise)⁻¹ (training spectra - their mean)

It errs elsewhere than a perceptron does: that interpolates between sites far apart, this one remembers those close by,
so that the mean of both is better than either (docs/studies/accuracy.md). Length l and noise are chosen by leaving out
one material at a time, for which no other fit is needed: the error on the sites g of a material that was left out is
(K⁻¹)_gg⁻¹ a_g (Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, section 5.4.2, for groups).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, lapack

from xanesflow.core.errors import XanesflowError

Array = npt.NDArray[np.float64]

LENGTHS = (1.0, 1.5, 2.25)
"""Kernel lengths to choose from; 1: the distance of two sites that are one deviation apart in the widest block."""

NOISES = (2e-3, 5e-3, 1.25e-2)
"""Noises to choose from, as a share of the spectra's own variance."""

CLIP = 6.0
"""Standardised features are cut at it: a site far outside the training part is like its border."""

SELECTION_SITES = 4000
"""Length and noise are chosen on at most about so many sites (9 matrices of this size are inverted)."""

MOST_SITES = 14_000
"""Of more sites the materials are drawn that make up about so many: three matrices of 1.6 GB are held at a time."""

_KEY = "kernel."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class KernelRidge:
    """A fitted kernel regression.

    Attributes:
        mean, scale: (d,) features enter as `(features - mean) * scale` with the cut between; see `_inputs`.
        block_scale: (d,) of the block of each feature.
        points: (n, d) float32, inputs of the training sites.
        coefficients: (n, 141) in bohr².
        mean_spectrum: (141,) of the training sites, bohr².
        length, noise: that were chosen.
    """

    mean: Array
    scale: Array
    block_scale: Array
    points: npt.NDArray[np.float32]
    coefficients: Array
    mean_spectrum: Array
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
        """Fit to training sites, length and noise chosen among them alone.

        Args:
            features: (n, d).
            spectra: (n, 141) in bohr².
            materials: (n,) the material of each site; at least two.
            blocks: number of columns of each featurizer, in order.
            weights: how much more than by its size each block counts in distances; None: all alike.
            seed: draws the materials, where there are more than SELECTION_SITES or MOST_SITES sites.

        Raises:
            XanesflowError: all sites are of one material.
        """
        names = np.asarray(materials)
        if len(np.unique(names)) < 2:
            raise XanesflowError(
                f"A kernel regression needs training sites of two materials or more, and these {len(names)} are of "
                "one: add finished simulations, or set `models.kernel_share: 0`."
            )
        if len(names) > MOST_SITES:
            rows = _draw(names, MOST_SITES, seed)
            logger.warning("kernel: fitted to %d of the %d training sites, to bound its memory", len(rows), len(names))
            names, features, spectra = names[rows], features[rows], spectra[rows]
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

    def matrix(self) -> Array:
        """(n, n) the kernel of the training sites with the noise on its diagonal."""
        return _matrix(self.points, self.length, self.noise)

    def predict(self, features: npt.NDArray[np.floating]) -> Array:
        """(n, d) features -> (n, 141) spectra in bohr²."""
        points = _inputs(np.asarray(features, dtype=np.float64), self.mean, self.scale, self.block_scale)
        spectra: Array = self.mean_spectrum + _kernel(_distances(points, self.points), self.length) @ self.coefficients
        return spectra

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as named arrays, for a checkpoint; row by row, as safetensors writes memory as it lies."""
        return {_KEY + name: np.array(value, order="C") for name, value in vars(self).items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> KernelRidge | None:
        """What `tensors` gave, read back from among the arrays of a checkpoint; None if there is none.

        Raises:
            KeyError: a part of it is missing.
        """
        if not any(name.startswith(_KEY) for name in tensors):
            return None
        parts: dict[str, Any] = {field.name: tensors[_KEY + field.name] for field in fields(cls)}
        return cls(**{**parts, "length": float(parts["length"]), "noise": float(parts["noise"])})


def standardised_inputs(features: npt.NDArray[np.floating], blocks: Sequence[int]) -> npt.NDArray[np.float32]:
    """(n, d) features as a kernel regression fitted to all of them sees them; `blocks` as in `KernelRidge.fit`."""
    values = np.asarray(features, dtype=np.float64)
    return _inputs(values, *_scales(values, blocks))


def kernel_between(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], length: float) -> Array:
    """(n, m) Matérn 3/2 kernel of (n, d) and (m, d) points."""
    return _kernel(_distances(left, right), length)


def leave_out_materials(matrix: Array, targets: Array, materials: npt.NDArray[Any]) -> Array:
    """The errors that each site would have if its whole material were left out of the fit.

    Args:
        matrix: (n, n) the kernel with the noise on its diagonal; overwritten.
        targets: (n, 141), with mean 0.
        materials: (n,) the material of each site.

    Returns:
        (n, 141) truth less prediction. The mean of the targets stays that of all sites.
    """
    factor, info = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    inverse, info_inverse = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if info or info_inverse:
        raise XanesflowError("The kernel's matrix cannot be inverted: are there features that are no finite numbers?")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    errors = inverse @ targets
    order = np.argsort(materials, kind="stable")
    ends = np.flatnonzero(materials[order][1:] != materials[order][:-1]) + 1
    for sites in np.split(order, ends):
        errors[sites] = np.linalg.solve(inverse[np.ix_(sites, sites)], errors[sites])
    return errors


def _choose(
    points: npt.NDArray[np.float32], targets: Array, materials: npt.NDArray[Any], seed: int
) -> tuple[float, float]:
    """Length and noise with the least error on materials left out.

    The error is the mean over materials of the logarithm of their mean squared errors: every material counts once,
    as in a split by material, and a bad one does not outweigh a hundred others.
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
    """Row numbers of all sites of materials drawn at random, about `sites` of them; of all if there are no more."""
    names, of_site = np.unique(materials, return_inverse=True)
    share = min(1.0, sites / len(materials))
    drawn = np.random.default_rng(seed).permutation(len(names))[: max(2, round(share * len(names)))]
    return np.flatnonzero(np.isin(of_site, drawn))


def _scales(values: Array, blocks: Sequence[int]) -> tuple[Array, Array, Array]:
    """Mean, one over the deviation (0 of a constant feature) and weight of the block, (d,) each."""
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    constant = deviation <= 1e-6 * np.maximum(np.abs(values).max(axis=0), np.finfo(np.float32).tiny)
    scale = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation))
    sizes = np.asarray(blocks, dtype=np.float64)
    return mean, scale, np.repeat((sizes / sizes.max()) ** 0.25 / np.sqrt(sizes), blocks)


def _inputs(values: Array, mean: Array, scale: Array, block_scale: Array) -> npt.NDArray[np.float32]:
    inputs: npt.NDArray[np.float32] = (np.clip((values - mean) * scale, -CLIP, CLIP) * block_scale).astype(np.float32)
    return inputs


def _distances(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> Array:
    """(n, d), (m, d) -> (n, m) Euclidean."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    squares: Array = (-2 * a) @ b.T
    squares += (a * a).sum(axis=1)[:, None]
    squares += (b * b).sum(axis=1)
    np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)
    return squares


def _matrix(points: npt.NDArray[np.float32], length: float, noise: float) -> Array:
    matrix = _kernel(_distances(points, points), length)
    matrix[np.diag_indices_from(matrix)] += noise
    return matrix


def _kernel(distances: Array, length: float) -> Array:
    """Matérn 3/2."""
    scaled = distances * (np.sqrt(3.0) / length)
    kernel: Array = np.exp(-scaled)
    scaled += 1.0
    kernel *= scaled
    return kernel
