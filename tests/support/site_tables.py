"""The tables that an import or a collection writes of a subset's sites, read again."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pandas as pd

from xanesflow.core.reasons import Rejected
from xanesflow.core.tables import read_rejected


class SiteTables:
    """Paths of the tables in a folder, as keywords of what writes them, and what they hold."""

    def __init__(self, folder: Path) -> None:
        self.paths = {name: folder / f"{name}.parquet" for name in ("structures", "site_table", "rejected")}

    @cached_property
    def sites(self) -> pd.DataFrame:
        return pd.read_parquet(self.paths["site_table"])

    @cached_property
    def structures(self) -> pd.DataFrame:
        return pd.read_parquet(self.paths["structures"])

    @cached_property
    def rejected(self) -> list[Rejected]:
        return read_rejected(self.paths["rejected"])

    @property
    def ids(self) -> list[tuple[str, int]]:
        return list(self.sites[["material_id", "site_index"]].itertuples(index=False, name=None))

    @property
    def multiplicities(self) -> dict[tuple[str, int], int]:
        return dict(zip(self.ids, self.sites["multiplicity"].tolist(), strict=True))

    @property
    def reasons(self) -> dict[tuple[str, int], str]:
        return {(r.material_id, r.site_index): r.reason for r in self.rejected}
