"""What the toy is run by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ToyOptions:
    """Radius in Å within which neighbours count, and the edge in eV."""

    radius: float = 4.0
    edge_ev: float = 8990.0
