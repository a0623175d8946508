"""Finds the mirrors, two-fold axes and inversion of a cluster about its absorber, in one frame of axes.

If the frame's axes are those of the operations, each operation changes signs of coordinates, and every real harmonic is
even or odd under it. These operations form a group of order 1, 2, 4 or 8 whose representations are all one-dimensional.
The scattering needs only the representations of x, y and z.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xanesflow.core.array_types import Floats

TOLERANCE_BOHR = 2e-3
"""How far an atom may lie from the image of its partner."""

_INNER_ATOMS = 24  # number of inner atoms among whose positions axes are searched


@dataclass(frozen=True)
class SignGroup:
    """Operations that change signs of coordinates."""

    frame: Floats  # (3, 3), the rows are the axes; `positions @ frame.T` gives positions in this frame
    signs: NDArray[np.int64]  # (order, 3) of ±1, the identity first
    images: NDArray[np.int64]  # (order, n) index of the atom onto which each operation maps each atom


def find_sign_group(positions: Floats, kinds: NDArray[np.int64]) -> SignGroup:
    """Find the frame in which the cluster has the most sign-changing operations.

    Args:
        positions: (n, 3) in bohr, the absorber first and at the origin, then by distance.
        kinds: (n,) index of each atom's potential.
    """
    tree = cKDTree(positions)
    axes = [n for n in _candidates(positions, kinds) if _is_axis(n, positions, kinds, tree)]
    best = SignGroup(np.eye(3), np.ones((1, 3), dtype=np.int64), np.arange(len(positions))[None])
    for frame in _frames(axes):
        group = _group(frame, positions, kinds)
        if len(group.signs) > len(best.signs):
            best = group
        if len(best.signs) == 8:
            break
    if len(best.signs) == 1:  # inversion alone needs no axis
        best = _group(np.eye(3), positions, kinds)
    return best


def _candidates(positions: Floats, kinds: NDArray[np.int64]) -> Floats:
    """Directions of possible axes: an operation swaps atoms of one shell, or leaves atoms on its axis or plane."""
    distances = np.linalg.norm(positions, axis=1)
    inner = np.arange(1, min(len(positions), _INNER_ATOMS + 1))
    vectors = [positions[inner]]
    a, b = (pair.ravel() for pair in np.meshgrid(inner, inner, indexing="ij"))
    same = (a < b) & (kinds[a] == kinds[b]) & (np.abs(distances[a] - distances[b]) < 2 * TOLERANCE_BOHR)
    vectors += [positions[a[same]] + positions[b[same]], positions[a[same]] - positions[b[same]]]
    few = inner[:6]
    a, b = (pair.ravel() for pair in np.meshgrid(few, few, indexing="ij"))
    vectors.append(np.cross(positions[a], positions[b]))
    directions = np.concatenate(vectors)
    lengths = np.linalg.norm(directions, axis=1)
    directions = directions[lengths > 0.1] / lengths[lengths > 0.1, None]
    first = np.take_along_axis(directions, (np.abs(directions) > 1e-3).argmax(axis=1)[:, None], axis=1)
    directions = directions * np.sign(first)
    _, kept = np.unique(np.round(directions, 3), axis=0, return_index=True)
    return np.asarray(directions[np.sort(kept)])


def _maps(operation: Floats, positions: Floats, kinds: NDArray[np.int64], tree: cKDTree) -> bool:
    inner = slice(0, 30)  # nearly always decides
    for part in (inner, slice(None)):
        distance, image = tree.query(positions[part] @ operation.T)
        if (distance > TOLERANCE_BOHR).any() or (kinds[image] != kinds[part]).any():
            return False
    return True


def _is_axis(axis: Floats, positions: Floats, kinds: NDArray[np.int64], tree: cKDTree) -> bool:
    """Whether the two-fold rotation about the axis, or the mirror perpendicular to it, maps the cluster to itself."""
    rotation = 2 * np.outer(axis, axis) - np.eye(3)
    return any(_maps(operation, positions, kinds, tree) for operation in (rotation, -rotation))


def _frames(axes: list[Floats]) -> list[Floats]:
    """Right-handed frames that contain at least one of the axes; frames with the most axes come first."""
    frames = []
    for i, first in enumerate(axes):
        perpendicular = [axis for axis in axes[i + 1 :] if abs(axis @ first) < 1e-3]
        helper = np.eye(3)[np.abs(first).argmin()]
        for second in [*perpendicular, np.cross(first, helper)]:
            y = second - (second @ first) * first
            y /= np.linalg.norm(y)
            frames.append(np.array([first, y, np.cross(first, y)]))
    n_known = [sum(bool(np.isclose(np.abs(np.array(axes) @ row), 1, atol=1e-5).any()) for row in f) for f in frames]
    return [frames[k] for k in np.argsort(-np.array(n_known), kind="stable")]


def _group(frame: Floats, positions: Floats, kinds: NDArray[np.int64]) -> SignGroup:
    turned = positions @ frame.T
    tree = cKDTree(turned)
    signs, images = [], []
    for sign in product((1, -1), repeat=3):
        distance, image = tree.query(turned * sign)
        whole = (distance <= TOLERANCE_BOHR).all() and (kinds[image] == kinds).all()
        if whole and len(np.unique(image)) == len(image):
            signs.append(sign)
            images.append(image)
    return SignGroup(frame, np.array(signs), np.array(images))
