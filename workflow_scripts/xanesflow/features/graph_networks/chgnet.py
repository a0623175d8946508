"""Features of CHGNet: the atoms' vectors before its last convolution, and the magnetic moment read from them.

Source: Deng et al., Nat. Mach. Intell. 5, 1031 (2023); the network, its graphs and its weights (0.3.0) come with the
package chgnet.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pymatgen.core import Structure
from torch import Tensor, nn

from xanesflow.core.errors import XanesflowError
from xanesflow.features.featurize_structures import Features, Featurizer
from xanesflow.features.graph_networks.weights import CHGNET_HASH, check_content, load_tensors
from xanesflow.features.neighbors import atomic_numbers, isolated_atoms

RELEASE = "0.3.0"
ELEMENTS = frozenset(range(1, 95))
ATOM_CUTOFF, BOND_CUTOFF = 6.0, 3.0
"""Å; the longest bond between atoms, and the longest bond that takes part in angles."""


@dataclass(frozen=True)
class SizedGraph:
    """A CrystalGraph of chgnet, its size (the number of bonds and angles), and its atoms without a bond."""

    graph: Any
    size: int
    isolated: NDArray[np.int64]


@dataclass(frozen=True)
class BuildCrystalGraph:
    """Structure → chgnet's CrystalGraph."""

    _made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, structure: Structure) -> SizedGraph:
        """The graph; raises NotFeaturizableError."""
        from chgnet.graph import CrystalGraphConverter  # heavy

        atomic_numbers(structure, ELEMENTS)
        if not self._made:
            self._made["converter"] = CrystalGraphConverter(
                atom_graph_cutoff=ATOM_CUTOFF, bond_graph_cutoff=BOND_CUTOFF, on_isolated_atoms="ignore"
            )
        graph = self._made["converter"](structure)
        isolated = isolated_atoms(len(structure), graph.atom_graph.reshape(-1, 2)[:, 0].numpy(), ATOM_CUTOFF)
        return SizedGraph(graph, len(graph.atom_graph) + len(graph.bond_graph), isolated)


class CHGNetFeaturizer(Featurizer):
    """64 atom features and the magnetic moment of CHGNet 0.3.0.

    Args:
        device: "cpu" or "cuda".
        workers: processes; with a GPU they build graphs for it.

    Raises:
        XanesflowError: the weights in the installed chgnet are not those of 0.3.0.
    """

    def __init__(self, *, device: str = "cpu", workers: int = 1) -> None:
        # 64 atoms fit the caches of a CPU.
        super().__init__(device=device, workers=workers, batch_atoms=64 if device == "cpu" else 4096)
        self.name = "chgnet"
        self.dimension = 65
        self.meaning = (
            "64 atom features of CHGNet 0.3.0 before its last convolution, dimensionless | magnetic moment, µB"
        )
        self.weights_hash = CHGNET_HASH
        self.packages = ("torch", "pymatgen-core", "chgnet")
        self.batch_size = 50_000 if device == "cpu" else 1_000_000  # bonds and angles, of about 3 kB each
        self._model = load_model(device)
        # The last convolution takes half of the remaining time and only changes the energy.
        self._model.atom_conv_layers[-1] = _Unchanged()

    @property
    def build_graph(self) -> Callable[[Structure], SizedGraph]:
        """Bonds up to 6 Å, angles between bonds up to 3 Å."""
        return BuildCrystalGraph()

    @torch.inference_mode()
    def evaluate(self, graphs: Sequence[SizedGraph]) -> list[Features]:
        """(atoms, 65) float32 for each graph."""
        answer = self._model([each.graph.to(self.device) for each in graphs], task="em", return_atom_feas=True)
        pairs = zip(answer["atom_fea"], answer["m"], strict=True)
        return [
            torch.cat([atoms, moments[:, None]], dim=1).cpu().numpy().astype(np.float32) for atoms, moments in pairs
        ]


class CHGNetCellFeaturizer(CHGNetFeaturizer):
    """The mean of CHGNet's 65 numbers over all atoms of the crystal, the same row for each atom."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.name = "chgnet_cell"
        self.meaning = f"mean over all atoms of: {self.meaning}"

    def evaluate(self, graphs: Sequence[SizedGraph]) -> list[Features]:
        """(atoms, 65) float32 for each graph."""
        means = (atoms.mean(axis=0, dtype=np.float64) for atoms in super().evaluate(graphs))
        return [
            np.tile(mean.astype(np.float32), (len(each.graph.atomic_number), 1))
            for mean, each in zip(means, graphs, strict=True)
        ]


class _Unchanged(nn.Module):
    """Takes the place of a convolution that is not needed."""

    def forward(self, atom_feas: Tensor, **_: Any) -> Tensor:
        """Return the atoms' features unchanged."""
        return atom_feas


def load_model(device: str = "cpu") -> Any:
    """CHGNet with its own weights, on `device`, for evaluation.

    This does not use `CHGNet.load`, which would run any code in the file (`torch.load(weights_only=False)`).

    Raises:
        XanesflowError: the package has no weights, or they are not the published ones.
    """
    import chgnet  # heavy
    from chgnet.model import CHGNet

    folder = Path(chgnet.__file__).parent / "pretrained" / RELEASE
    files = sorted(folder.glob("*.pth.tar"))
    if len(files) != 1:
        raise XanesflowError(f"The installed chgnet has no weights in {folder}: install the pinned version of chgnet.")
    stored = load_tensors(files[0])["model"]
    check_content(stored["state_dict"], CHGNET_HASH, files[0], f"CHGNet {RELEASE}")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how many parameters it has
        # No bias in the last layer of a convolution, as CHGNet.load sets it for this release.
        model = CHGNet(**stored["model_args"], mlp_out_bias=False, version=RELEASE)
    model.load_state_dict(stored["state_dict"])
    return model.requires_grad_(False).eval().to(device)
