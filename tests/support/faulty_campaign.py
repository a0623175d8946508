"""200 sites by an engine that fails where it is told to, once for each telling; for test_simulations_random_faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from xanesflow.core.errors import FailedRunError
from xanesflow.simulations.run_chunk import simulate_chunk
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures

SUBSET = "Cu_FEFF8L"
MATERIALS, SITES_A_MATERIAL, CHUNKS, WORKERS = 50, 4, 4, 2
HANGS = 3.0  # seconds that a site may take; one that does not hang takes a tenth of one

PROGRAM = """
echo started > "$MARKS/$NAME.$$"
if [ -e "$FAULTS/$NAME" ]; then
  fault=$(cat "$FAULTS/$NAME"); rm "$FAULTS/$NAME"
  case $fault in
    kill) kill -9 $$ ;;
    hang) exec sleep 600 ;;
    memory) echo "Cannot allocate memory"; exit 1 ;;
  esac
fi
if [ -e "$BAD/$NAME" ]; then echo "no spectrum of $NAME"; exit 3; fi
echo "computing $NAME"
cat feff.inp feff.inp > xmu.dat
"""


@dataclass
class FaultyEngine:
    """Faults are files: `faults/<site>` is taken away by the run that it hits, `bad/<site>` stays."""

    folder: str
    time_limit: float = 60.0
    theory: str = "FEFF8L"
    log_name: str = "feff.out"
    keep: tuple[str, ...] = ("feff.inp", "feff.out", "xmu.dat")

    def settings(self) -> dict[str, Any]:
        return {"code": "faulty 1"}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        name = f"{structure.lattice.a:.4f}_{site_index}"
        (folder / "feff.inp").write_text(f"{name}\n{structure[site_index].coords}\n")

    def command(self, folder: Path) -> list[str]:
        name = (folder / "feff.inp").read_text().split()[0]
        places = {key: f"{self.folder}/{key.lower()}" for key in ("MARKS", "FAULTS", "BAD")}
        return ["env", f"NAME={name}", *(f"{key}={place}" for key, place in places.items()), "sh", "-c", PROGRAM]

    def validate(self, folder: Path) -> None:
        if not (folder / "xmu.dat").exists():
            raise FailedRunError("no_output", "it left no spectrum")

    def record(self, folder: Path) -> dict[str, Any]:
        return {}


def write_tables(folder: Path) -> list[tuple[str, int, str]]:
    """Structures and site table where the workflow has them; material, site and the engine's name of each site."""
    chance, materials = np.random.default_rng(1), []
    grid = np.array([[x, y, z] for x in (0, 0.5) for y in (0, 0.5) for z in (0, 0.5)])
    for k in range(MATERIALS):
        places = grid + chance.normal(0, 0.02, grid.shape)
        cell = Lattice.orthorhombic(5 + k / 100, 5.3, 4.6)
        materials.append(describe(f"m-{k}", Structure(cell, ["Cu"] * 4 + ["O"] * 4, places), symprec=0.01))
    sites = [(material, k) for material in materials for k in range(SITES_A_MATERIAL)]
    tables = folder / "results/structures"
    write_structures(tables / f"{SUBSET}.parquet", materials)
    write_site_table(tables / f"{SUBSET}_sites.parquet", sites, chunks=CHUNKS)
    for name in ("marks", "faults", "bad", "scratch"):
        (folder / name).mkdir()
    return [(f"m-{k}", i, f"{5 + k / 100:.4f}_{i}") for k in range(MATERIALS) for i in range(SITES_A_MATERIAL)]


def output(folder: Path, chunk: int) -> Path:
    return folder / f"results/simulations/{SUBSET}/{chunk:04d}.zip"


def compute(folder: Path, chunk: int, time_limit: float = HANGS) -> None:
    """Compute a chunk as its rule does."""
    tables, zipped = folder / "results/structures", output(folder, chunk)
    simulate_chunk(
        tables / f"{SUBSET}.parquet", tables / f"{SUBSET}_sites.parquet", zipped, zipped.parent / "kept",
        subset=SUBSET, chunk=chunk, engine=FaultyEngine(str(folder), time_limit), workers=WORKERS,
        scratch=folder / "scratch",
    )  # fmt: skip
