"""What a featurizer is, and how it works through many structures.

A featurizer turns a crystal into one row of numbers per atom. Its two steps are `build_graph` (structure → graph,
plain arrays, on a CPU) and `evaluate` (graphs → features, a network, on a CPU or a GPU). This module sorts structures
by size, cuts them into batches of bounded memory and spreads these over processes. A structure that fails does not stop
the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import NotFeaturizableError, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.text import quoted

Features = NDArray[np.float32]
"""(atoms, dimension), in the structure's own order of atoms."""

Progress = Callable[[int, int], None]
"""Called with the number of structures done and of all structures."""

TASK_ATOMS = 2048
"""Atoms that a process gets at a time: enough that the cost of sending them does not matter."""


@dataclass(frozen=True)
class FeatureFailure:
    """Takes the place of a structure's features; `reason` says in one sentence why there are none."""

    reason: str


class Featurizer(ABC):
    """Features for every atom of crystals.

    Attributes:
        name: its name in the configuration.
        dimension: the number of features of an atom.
        meaning: what the columns are, with units.
        weights_hash: SHA-256 over the network's tensors (see `weights.content_hash`).
        packages: the distributions that the numbers depend on.
        batch_atoms: at most this many atoms go through the network at a time (unless one structure has more).
        batch_size: the graphs of a batch have at most this `size` together, which bounds the memory.
    """

    name: str
    dimension: int
    meaning: str
    weights_hash: str
    packages: tuple[str, ...]
    batch_size: int

    def __init__(self, *, device: str = "cpu", workers: int = 1, batch_atoms: int) -> None:
        check_device(device)
        if workers < 1:
            raise XanesflowError(f"workers ({workers}) must be 1 or more.")
        self.device = device
        self.workers = workers
        self.batch_atoms = batch_atoms

    @property
    @abstractmethod
    def build_graph(self) -> Callable[[Structure], Any]:
        """A function from structure to graph that can be sent to other processes; it raises NotFeaturizableError."""

    @abstractmethod
    def evaluate(self, graphs: Sequence[Any]) -> list[Features]:
        """Features of the graphs' atoms, one array for each graph, computed in one batch."""

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
            atoms: for each structure the atoms whose rows are wanted, from 0; None: all, in the structure's own order.

        Returns:
            For each structure, in the order given: (atoms, dimension) float32, or why there are none. The rows of
            atoms without a neighbour are NaN. Which other structures are in a call changes a feature by less than 1e-6
            of the largest one.
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
        # On a CPU the network is most of the work, so each process runs it; for a GPU the processes only build graphs.
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
        """Run the network on the graphs that could be built, in pieces of bounded size."""
        outcomes: list[Features | FeatureFailure] = list(graphs)
        good = [index for index, graph in enumerate(graphs) if not isinstance(graph, FeatureFailure)]
        for piece in groups(good, [graphs[index].size for index in good], self.batch_size):
            for index, features in zip(piece, self.evaluate([graphs[index] for index in piece]), strict=True):
                finite = np.isfinite(features).all()
                features[graphs[index].isolated] = np.nan  # without bonds they only say which element it is
                outcomes[index] = features if finite else FeatureFailure("The network's numbers are not all finite.")
        return outcomes


def groups(items: Iterable[int], sizes: Iterable[int], limit: int) -> Iterator[list[int]]:
    """Cut `items` into runs whose sizes add up to `limit` at most; a larger item is a run of its own."""
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
    """Raise XanesflowError unless `device` is "cpu", or "cuda" (also "cuda:1", …) and this machine has that GPU."""
    import torch  # heavy

    if device == "cpu":
        return
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        raise XanesflowError(f"The device for features is {quoted(device)}, but must be cpu, cuda or cuda:<number>.")
    if int(number or 0) >= torch.cuda.device_count():
        raise XanesflowError(
            f"The device for features is {quoted(device)}, but torch sees {torch.cuda.device_count()} GPUs here: "
            "use cpu, or run on a machine with a GPU and a CUDA build of torch."
        )


def _try(build_graph: Callable[[Structure], Any], structure: Structure) -> Any:
    """A structure's graph, or why there is none."""
    try:
        return build_graph(structure)
    except Exception as error:  # one bad structure must not stop the others
        return failure(error)


def failure(error: Exception) -> FeatureFailure:
    """Why a structure has no features, as one sentence."""
    reason = str(error) if isinstance(error, NotFeaturizableError) else what_is_wrong(error, quote=True)
    return FeatureFailure(reason[:1].upper() + reason[1:].rstrip(".") + ".")


def _build_graphs(build_graph: Callable[[Structure], Any], structures: list[Structure]) -> list[Any]:
    return [_try(build_graph, structure) for structure in structures]


def _compute_task(featurizer: Featurizer, structures: list[Structure]) -> list[Features | FeatureFailure]:
    """One task with one thread, so that the numbers do not depend on the number of processes."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the processes share the cores
    try:
        return featurizer.outcomes_of_task(structures)
    finally:
        torch.set_num_threads(threads)
