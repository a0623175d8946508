"""A finished run as a chunk's zip holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xanesflow.core.sites import Site


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of a chunk."""

    material_id: str  # its material
    site_index: int  # 0-based index of the absorber into the material's structure
    files: Mapping[str, bytes]  # content of the files that exist, by name (`feff.inp`, `feff.out`, `xmu.dat`)
    record: Mapping[str, Any] = field(default_factory=dict)  # content of run.json

    @property
    def site(self) -> Site:
        """Return the site that it is of."""
        return self.material_id, self.site_index

    @property
    def imported(self) -> bool:
        """Return whether the run was imported, and not computed by this campaign."""
        return self.record.get("code") == "imported"

    @property
    def corrections(self) -> str:
        """Return the corrections of its inputs, `SCF ca1 0.2 -> 0.1; ...`; empty: the first attempt was good."""
        return "; ".join(_as_text(each) for each in self.record.get("corrections") or ())


def _as_text(correction: Any) -> str:
    """Write one correction as text. An engine records `what`, `from` and `to`, or several `changes`, or a text."""
    if isinstance(correction, Mapping) and {"what", "from", "to"} <= correction.keys():
        return f"{correction['what']} {correction['from']} -> {correction['to']}"
    if isinstance(correction, Mapping) and isinstance(correction.get("changes"), Mapping):
        return ", ".join(f"{tag} {old} -> {new}" for tag, (old, new) in correction["changes"].items())
    return correction if isinstance(correction, str) else json.dumps(correction, sort_keys=True)
