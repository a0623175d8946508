"""What an interpreter learns: standardised descriptors, and classes of some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.interpretation.site_descriptors import DESCRIPTORS

FEWEST_KNOWN = 20
"""A descriptor that fewer training sites have is not learned."""

FEWEST_OF_CLASS = 10
"""A class of fewer training sites is not told apart."""


@dataclass(frozen=True)
class Targets:
    """The outputs of an interpreter: first its descriptors, standardised, then a column for each class.

    Attributes:
        names: the k descriptors.
        mean, scale: (k,) of the training sites.
        low, high: (k,) their smallest and largest value.
        prior: (2, k) the 5 % and 95 % quantiles of the training sites, which is what one knows without a spectrum.
        classes: for descriptors that are told apart as classes, the values of these, ascending.
    """

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    low: Floats
    high: Floats
    prior: Floats
    classes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, values: Floats) -> Targets:
        """Find what can be learned from (n, 9) training sites, in the order of `DESCRIPTORS`; NaN: not known."""
        known = [k for k in range(len(DESCRIPTORS)) if np.isfinite(values[:, k]).sum() >= FEWEST_KNOWN]
        names = tuple(name for k, name in enumerate(DESCRIPTORS) if k in known)
        given = values[:, known]
        scale = np.nanstd(given, axis=0) if known else np.zeros(0)
        classes = {}
        for column, name in enumerate(names):
            if DESCRIPTORS[name].classes:
                found, numbers = np.unique(np.round(given[np.isfinite(given[:, column]), column]), return_counts=True)
                several = tuple(int(value) for value in found[numbers >= FEWEST_OF_CLASS])
                if len(several) > 1:  # a single class needs no telling apart
                    classes[name] = several
        return cls(
            names,
            np.nanmean(given, axis=0) if known else np.zeros(0),
            np.where(scale > 0, scale, 1.0),
            np.nanmin(given, axis=0) if known else np.zeros(0),
            np.nanmax(given, axis=0) if known else np.zeros(0),
            np.nanquantile(given, (0.05, 0.95), axis=0) if known else np.zeros((2, 0)),
            classes,
        )

    def take(self, values: Floats) -> Floats:
        """(n, k) the learned descriptors of (n, 9)."""
        order = list(DESCRIPTORS)
        return values[:, [order.index(name) for name in self.names]]

    def encode(self, values: Floats) -> Floats:
        """(n, k + classes) outputs of (n, 9) descriptors; NaN where one is not known."""
        given = self.take(values)
        columns = [(given - self.mean) / self.scale]
        for name, classes in self.classes.items():
            columns.append(self.members(given[:, self.names.index(name)], classes))
        return np.hstack(columns)

    @staticmethod
    def members(given: Floats, classes: Sequence[int]) -> Floats:
        """(n, c) 1 for the class of a value and 0 for the others; NaN for values of no class."""
        matrix = (np.round(given)[:, None] == np.array(classes)).astype(np.float64)
        return np.where(matrix.any(axis=1, keepdims=True), matrix, np.nan)

    def blocks(self) -> dict[str, slice]:
        """The columns of each descriptor's classes."""
        found, at = {}, len(self.names)
        for name, classes in self.classes.items():
            found[name] = slice(at, at + len(classes))
            at += len(classes)
        return found
