"""What a featurizer is, and how any of them works through many structures.

A featurizer turns a crystal into one row of numbers per atom. Its two steps are `build_graph` (structure → graph,
plain arrays, on a processor) and `evaluate` (graphs → features, a network, on a processor or a GPU). This module
sorts structures by size, cuts them into batches of bounded memory, spreads these over processes, and keeps a
structure that fails from stopping the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.core.errors import NotFeaturizableError, XanesflowError
from xanesflow.core.parallel import map_in_processes

Features = NDArray[np.float32]
"""(atoms, dimension), in the structure's own order of atoms."""

Progress = Callable[[int, int], None]
"""Told the number of structures done, and of all."""

TASK_ATOMS = 2048
"""Atoms of the structures that a process gets at a time: large enough that sending them does not count."""


@dataclass(frozen=True)
class FeatureFailure:
    """Stands where a structure's features would, and says in one sentence why there are none."""

    reason: str


class Graph(Protocol):
    """What `build_graph` makes: anything that can be pickled and knows its size."""

    @property
    def size(self) -> int:
        """What the network's memory grows with, e.g. the number of bonds."""

    @property
    def isolated(self) -> NDArray[np.int64]:
        """The atoms without a bond."""


class Featurizer(ABC):
    """Features for every atom of crystals.

    Attributes:
        name: as in the configuration.
        dimension: the number of features of an atom.
        meaning: what the columns are, with units.
        weights_hash: SHA-256 over the network's tensors (see `weights.content_hash`).
        packages: the software that the numbers depend on, by the names of its distributions.
        batch_atoms: at most this many atoms go through the network at a time (unless one structure has more) …
        batch_size: … and graphs of at most this `size` together, which bounds the memory.
    """

    name: str
    dimension: int
    meaning: str
    weights_hash: str
    packages: tuple[str, ...]
    batch_size: int

    def __init__(self, *, device: str = "cpu", workers: int = 1, batch_atoms: int) -> None:
        check_device(device)
        if workers < 1 or batch_atoms < 1:
            raise XanesflowError(f"workers ({workers}) and batch_atoms ({batch_atoms}) must be 1 or more.")
        self.device = device
        self.workers = workers
        self.batch_atoms = batch_atoms

    @property
    @abstractmethod
    def build_graph(self) -> Callable[[Structure], Any]:
        """A function that other processes can be sent; it raises NotFeaturizableError."""

    @abstractmethod
    def evaluate(self, graphs: Sequence[Any]) -> list[Features]:
        """Features of the graphs' atoms, one array per graph, through the network in one piece."""

    def compute(
        self,
        structures: Sequence[Structure],
        progress: Progress | None = None,
        atoms: Sequence[Sequence[int]] | None = None,
    ) -> list[Features | FeatureFailure]:
        """Features of many structures.

        Args:
            structures: crystals, in any order.
            progress: called as `progress(done, of)` after each batch.
            atoms: of each structure those whose rows are wanted, from 0; None: all, in the structure's own order.

        Returns:
            For each structure, in the order given: (atoms, dimension) float32, or why there are none. Rows of atoms
            without any neighbour are NaN. The other structures of a call change a feature by less than 1e-6 of the
            largest.
        """
        results: list[Features | FeatureFailure] = [FeatureFailure("not computed")] * len(structures)
        order = sorted(range(len(structures)), key=lambda index: (len(structures[index]), index))
        done = 0
        for indices, outcomes in self._outcomes(structures, order):
            for index, outcome in zip(indices, outcomes, strict=True):
                if atoms is None or isinstance(outcome, FeatureFailure):
                    results[index] = outcome
                else:
                    results[index] = outcome[list(atoms[index])]
            done += len(indices)
            if progress is not None:
                progress(done, len(structures))
        return results

    def _outcomes(
        self, structures: Sequence[Structure], order: list[int]
    ) -> Iterator[tuple[list[int], list[Features | FeatureFailure]]]:
        """Work through the structures in `order`, cut into the same tasks for any number of workers."""
        atoms = [len(structures[index]) for index in order]
        tasks = list(groups(order, atoms, TASK_ATOMS))
        # On a processor the network is most of the work, so that a process does all of it; a GPU is fed by them.
        work: Any = partial(_compute_task, self) if self.device == "cpu" else partial(_build_graphs, self.build_graph)
        answers = map_in_processes(
            work, ([structures[index] for index in task] for task in tasks), self.workers if len(tasks) > 1 else 1
        )
        for indices, answer in zip(tasks, answers, strict=True):
            yield indices, (answer if self.device == "cpu" else self._outcomes_of(answer))

    def outcomes_of_task(self, structures: list[Structure]) -> list[Features | FeatureFailure]:
        """Graphs and features of one task, in batches."""
        sizes = [len(structure) for structure in structures]
        outcomes: list[Features | FeatureFailure] = []
        for indices in groups(range(len(structures)), sizes, self.batch_atoms):
            outcomes += self._outcomes_of([_try(self.build_graph, structures[index]) for index in indices])
        return outcomes

    def _outcomes_of(self, graphs: list[Any]) -> list[Features | FeatureFailure]:
        """Send those graphs that could be built through the network, in pieces of bounded size."""
        outcomes: list[Features | FeatureFailure] = list(graphs)
        good = [index for index, graph in enumerate(graphs) if not isinstance(graph, FeatureFailure)]
        for piece in groups(good, [graphs[index].size for index in good], self.batch_size):
            for index, features in zip(piece, self.evaluate([graphs[index] for index in piece]), strict=True):
                finite = np.isfinite(features).all()
                features[graphs[index].isolated] = np.nan  # they hold nothing but the element
                outcomes[index] = features if finite else FeatureFailure("The network's numbers are not all finite.")
        return outcomes


def groups(items: Iterable[int], sizes: Iterable[int], limit: int) -> Iterator[list[int]]:
    """Cut `items` into runs whose sizes add up to `limit` at most; an item larger than that goes alone."""
    run: list[int] = []
    total = 0
    for item, size in zip(items, sizes, strict=True):
        if run and total + size > limit:
            yield run
            run, total = [], 0
        run.append(item)
        total += size
    if run:
        yield run


def check_device(device: str) -> None:
    """Raise XanesflowError unless `device` is "cpu", or "cuda" (also "cuda:1", …) and there is such a GPU."""
    import torch  # heavy

    if device == "cpu":
        return
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        raise XanesflowError(f"The device for features is {device!r}, but must be cpu, cuda or cuda:<number>.")
    if int(number or 0) >= torch.cuda.device_count():
        raise XanesflowError(
            f"The device for features is {device!r}, but torch sees {torch.cuda.device_count()} GPUs here: "
            "use cpu, or run where a GPU and a CUDA build of torch are."
        )


def _try(build_graph: Callable[[Structure], Any], structure: Structure) -> Any:
    """A structure's graph, or why there is none."""
    try:
        return build_graph(structure)
    except Exception as error:  # whatever is odd about one structure must not stop the others
        return failure(error)


def failure(error: Exception) -> FeatureFailure:
    """Why a structure has no features, as one sentence."""
    reason = str(error) if isinstance(error, NotFeaturizableError) else f"{type(error).__name__}: {error}"
    return FeatureFailure(reason[:1].upper() + reason[1:].rstrip(".") + ".")


def _build_graphs(build_graph: Callable[[Structure], Any], structures: list[Structure]) -> list[Any]:
    return [_try(build_graph, structure) for structure in structures]


def _compute_task(featurizer: Featurizer, structures: list[Structure]) -> list[Features | FeatureFailure]:
    """One task with one thread: the same numbers in whatever process, with however many of them."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the processes share the cores among them
    try:
        return featurizer.outcomes_of_task(structures)
    finally:
        torch.set_num_threads(threads)
