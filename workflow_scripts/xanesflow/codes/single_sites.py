"""Which levels of theory can compute a single site outside of a workflow."""

from __future__ import annotations

from xanesflow.codes.registry import theories
from xanesflow.codes.theory import Theory


def single_site_theories() -> list[Theory]:
    """Those with an engine and a reader, but without a step that sites share or a shift of energies by campaign."""
    return [each for each in theories() if each.engine and each.reader and not (each.shared_folder or each.processing)]
