"""From an archive to curated spectra, in as few words as a test has for it."""

from __future__ import annotations

from pathlib import Path

from feff_runs import GRID_START_EV

from xanesflow.simulations.import_archive import import_archive
from xanesflow.spectra.curate import curate_spectra
from xanesflow.spectra.store import CuratedSpectra, read_spectra


def import_runs(archive: Path, folder: Path, *, subset: str = "Cu_FEFF", chunks: int = 2) -> dict:
    """Import an archive into `folder`; what curation needs of it."""
    tables = {name: folder / f"{name}.parquet" for name in ("structures", "site_table", "rejected")}
    zips = [folder / f"{k:04d}.zip" for k in range(chunks)]
    import_archive(archive, subset=subset, chunks=zips, **tables)
    return {"chunks": zips, "subset": subset, **tables}


def curate(imported: dict, folder: Path, *, envelope: float | None = None, **options) -> CuratedSpectra:
    """Curate what `import_runs` imported, to `folder`/spectra.h5 and `folder`/rejected.csv; `options` override it."""
    element = imported["subset"].split("_")[0]
    given = {**imported, "rejected": [imported["rejected"]], "envelope_sigma": envelope, **options}
    paths = {"output": folder / "spectra.h5", "rejected_csv": folder / "rejected.csv"}
    curate_spectra(**given, **paths, energy_start_ev=GRID_START_EV[element])
    return read_spectra(folder / "spectra.h5")


def reasons(curated: CuratedSpectra) -> dict[tuple[str, int], str]:
    return {(r.material_id, r.site_index): r.reason for r in curated.rejected}


def ids(curated: CuratedSpectra) -> list[str]:
    pairs = zip(curated.material_id, curated.site_index.tolist(), strict=True)
    return [f"{material}_{site:03d}" for material, site in pairs]
