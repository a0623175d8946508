"""Extra trees as plain arrays: fitted by scikit-learn, stored without pickles, evaluated by numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats

_ROWS = 256  # rows that are evaluated together


@dataclass(frozen=True, eq=False)
class Forest:
    """Regression trees whose leaves hold several numbers."""

    roots: npt.NDArray[np.int32]  # (t,) the first node of each tree
    feature: npt.NDArray[np.int16]  # (n,) the input that a node asks for; -1 in a leaf
    threshold: npt.NDArray[np.float32]  # (n,) a row goes left if its input is at most this
    left: npt.NDArray[np.int32]  # (n,) the node to the left; in a leaf its row among `values`
    right: npt.NDArray[np.int32]  # (n,) the node to the right
    # (leaves, k) what each leaf predicts, of the order of 1, so that half precision is enough
    values: npt.NDArray[np.float16]

    @classmethod
    def fit(
        cls,
        inputs: npt.NDArray[np.floating],
        outputs: npt.NDArray[np.floating],
        *,
        trees: int,
        min_leaf: int,
        max_features: float,
        seed: int,
    ) -> Forest:
        """Fit extremely randomised trees (Geurts, Ernst and Wehenkel, Mach. Learn. 63, 3 (2006)).

        Args:
            inputs: (m, d).
            outputs: (m, k); NaN where one is not known. The splits take the mean of the others in its place, and the
                leaves count the known ones alone.
            trees: how many.
            min_leaf: fewest rows in a leaf.
            max_features: share of the inputs that a split chooses from.
            seed: of the random splits.
        """
        from sklearn.ensemble import ExtraTreesRegressor  # the import takes a second

        mean = np.nanmean(outputs, axis=0)
        fitted = ExtraTreesRegressor(
            trees, min_samples_leaf=min_leaf, max_features=max_features, random_state=seed, n_jobs=1
        ).fit(inputs.astype(np.float32), np.where(np.isnan(outputs), mean, outputs).squeeze())
        forest = cls._joined([each.tree_ for each in fitted.estimators_])
        forest._forget_unknown(inputs, outputs, mean)
        return forest

    @classmethod
    def _joined(cls, trees: list[Any]) -> Forest:
        """One set of arrays from scikit-learn's trees."""
        columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in cls.__annotations__}
        nodes = leaves = 0
        for tree in trees:
            is_leaf = tree.children_left < 0
            columns["roots"].append(np.array([nodes]))
            columns["feature"].append(np.where(is_leaf, -1, tree.feature))
            columns["threshold"].append(_rounded_down(tree.threshold))
            columns["left"].append(np.where(is_leaf, leaves + np.cumsum(is_leaf) - 1, tree.children_left + nodes))
            columns["right"].append(np.where(is_leaf, 0, tree.children_right + nodes))
            columns["values"].append(tree.value[is_leaf, :, 0])
            nodes, leaves = nodes + tree.node_count, leaves + int(is_leaf.sum())
        types = {"roots": np.int32, "feature": np.int16, "left": np.int32, "right": np.int32, "values": np.float16}
        return cls(**{name: np.concatenate(each).astype(types.get(name, np.float32)) for name, each in columns.items()})

    def _forget_unknown(
        self, inputs: npt.NDArray[np.floating], outputs: npt.NDArray[np.floating], mean: npt.NDArray[np.floating]
    ) -> None:
        """Average the leaves of outputs that are not known everywhere again, over the rows where they are known."""
        columns = np.flatnonzero(np.isnan(outputs).any(axis=0))
        if not len(columns):
            return
        leaves = self._leaves(inputs.astype(np.float32))
        for column in columns:
            known = ~np.isnan(outputs[:, column])
            at = leaves[known].ravel()
            given = np.repeat(outputs[known, column], leaves.shape[1])
            number = np.bincount(at, minlength=len(self.values))
            total = np.bincount(at, weights=given, minlength=len(self.values))
            self.values[:, column] = np.where(number > 0, total / np.maximum(number, 1), mean[column])

    def predict(self, inputs: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
        """(m, k) mean over the trees, and (m, k) their standard deviation."""
        means, spreads = [], []
        for start in range(0, len(inputs), _ROWS):
            values = self.values[self._leaves(inputs[start : start + _ROWS].astype(np.float32))]
            means.append(values.mean(axis=1, dtype=np.float64))
            spreads.append(values.std(axis=1, dtype=np.float64))
        empty = np.zeros((0, self.values.shape[1]))
        return np.concatenate([empty, *means]), np.concatenate([empty, *spreads])

    def _leaves(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """(m, t) the leaf of each row in each tree."""
        node = np.repeat(self.roots[None], len(rows), axis=0)
        row = np.arange(len(rows))[:, None]
        while True:
            asked = self.feature[node]
            inside = asked >= 0
            if not inside.any():
                leaf: npt.NDArray[np.int32] = self.left[node]
                return leaf
            goes_left = rows[row, np.maximum(asked, 0)] <= self.threshold[node]
            node = np.where(inside, np.where(goes_left, self.left[node], self.right[node]), node)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, to be stored."""
        return {name: getattr(self, name) for name in self.__annotations__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Forest:
        """Read a forest back from `arrays`.

        Raises:
            KeyError: an array is missing.
            ValueError: a node refers to one before it.
        """
        found = cls(**{name: arrays[name] for name in cls.__annotations__})
        # Each node comes before those below it, so that a walk down ends.
        nodes, own = len(found.feature), np.arange(len(found.feature))
        inner = found.feature >= 0
        for below in (found.left, found.right):
            if not ((below[inner] > own[inner]) & (below[inner] < nodes)).all():
                raise ValueError
        return found


def _rounded_down(threshold: Floats) -> npt.NDArray[np.float32]:
    """The largest float32 not above each threshold, so that float32 inputs are told apart exactly as before."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)
