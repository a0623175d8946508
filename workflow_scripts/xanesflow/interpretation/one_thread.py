"""PyTorch for small networks: one thread, as more only wait for each other, and random numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread(seed: int) -> Iterator[None]:
    """PyTorch uses one thread in the block, and its global generator starts from `seed`; then both are as before."""
    import torch  # the import takes a second

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
