"""Placeholder until the study is in."""

from xanesflow.simulations.feff8l.inputs import Cluster


def fermi_shift(cluster: Cluster, fermi_ev: float) -> float:
    return 0.0
