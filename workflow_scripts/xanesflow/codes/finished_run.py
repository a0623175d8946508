"""A finished run as it lies in a chunk's zip."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FinishedRun:
    """A finished run as it lies in a chunk.

    Attributes:
        material_id: its material.
        site_index: 0-based index of the absorber into the material's structure.
        files: content of each file by name (`feff.inp`, `feff.out`, `xmu.dat`), as far as they are there.
        record: content of run.json.
    """

    material_id: str
    site_index: int
    files: Mapping[str, bytes]
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def corrections(self) -> str:
        """What was changed in its inputs before it was good, `SCF ca1 0.2 -> 0.1; ...`; empty: it is a plain run."""
        return "; ".join(_as_text(each) for each in self.record.get("corrections") or ())


def _as_text(correction: Any) -> str:
    """One correction as text; as an engine recorded it: what, from and to; changes of several; or words."""
    if isinstance(correction, Mapping) and {"what", "from", "to"} <= correction.keys():
        return f"{correction['what']} {correction['from']} -> {correction['to']}"
    if isinstance(correction, Mapping) and isinstance(correction.get("changes"), Mapping):
        return ", ".join(f"{tag} {old} -> {new}" for tag, (old, new) in correction["changes"].items())
    return correction if isinstance(correction, str) else json.dumps(correction, sort_keys=True)
