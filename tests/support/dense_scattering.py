"""Full multiple scattering by a plain dense solution in complex128, as a reference."""

import numpy as np

from xanesflow.codes.feff8l.harmonics import channel_l, hankel, n_channels
from xanesflow.codes.feff8l.scattering import bond_factors


def propagators(momentum, vectors, l_max):
    """G[L', L] for each vector, (u, (l_max + 1)², (l_max + 1)²)."""
    outgoing = hankel(momentum * np.linalg.norm(vectors, axis=1), 2 * l_max)
    return 1j * np.einsum("cuab,cu->uab", bond_factors(vectors, l_max), outgoing, optimize=True)


def dense_traces(momenta, t, positions, kinds, l_max):
    """The trace of the absorber's dipole block, (ne,), from the whole matrix; arguments as of `Scattering`."""
    n, nl = len(positions), n_channels(l_max)
    j, i = np.nonzero(~np.eye(n, dtype=bool))
    vectors = positions[j] - positions[i]
    factors = bond_factors(vectors, l_max)
    lengths = np.linalg.norm(vectors, axis=1)
    l = channel_l(l_max)  # noqa: E741
    traces = np.empty(len(momenta), dtype=np.complex128)
    for e, momentum in enumerate(momenta):
        outgoing = hankel(momentum * lengths, 2 * l_max)
        g = np.zeros((n, n, nl, nl), dtype=np.complex128)
        g[j, i] = 1j * np.einsum("cuab,cu->uab", factors, outgoing)
        matrix = g.transpose(0, 2, 1, 3).reshape(n * nl, n * nl)
        scatter = np.concatenate([t[kind][l, e] for kind in kinds])
        solution = np.linalg.solve(np.eye(n * nl) - matrix * scatter, matrix[:, 1:4])
        traces[e] = np.trace(solution[1:4])
    return traces
