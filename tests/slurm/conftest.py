"""A real Slurm for the tests of this folder; where it cannot be brought up, they skip and say why."""

from __future__ import annotations

import pytest
from slurm_node import OneNode, UnavailableError


@pytest.fixture(scope="session")
def slurm():
    """One node, stopped at the end."""
    node = OneNode()
    try:
        node.start()
    except UnavailableError as error:
        pytest.skip(str(error))
    yield node
    node.stop()
