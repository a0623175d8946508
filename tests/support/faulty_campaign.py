"""200 sites by an engine that fails where it is told to, once for each telling; for test_simulations_random_faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fake_engine import FakeEngine, WorkingDirectory
from pymatgen.core import Lattice, Structure

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


class FaultyEngine(FakeEngine):
    """Faults are files beside the marks: `faults/<site>` is taken away by the run that it hits, `bad/<site>` stays."""

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        name = f"{structure.lattice.a:.4f}_{site_index}"
        (folder / "feff.inp").write_text(f"{name}\n{structure[site_index].coords}\n")

    def command(self, folder: Path) -> list[str]:
        name = (folder / "feff.inp").read_text().split()[0]
        places = {key: Path(self.marks).with_name(key.lower()) for key in ("MARKS", "FAULTS", "BAD")}
        return ["env", f"NAME={name}", *(f"{key}={place}" for key, place in places.items()), "sh", "-c", PROGRAM]


def campaign(folder: Path) -> WorkingDirectory:
    return WorkingDirectory(folder, chunks=CHUNKS, subset=SUBSET)


def write_tables(folder: Path) -> list[tuple[str, int, str]]:
    """Structures and site table where the workflow has them; material, site and the engine's name of each site."""
    chance, materials = np.random.default_rng(1), []
    grid = np.array([[x, y, z] for x in (0, 0.5) for y in (0, 0.5) for z in (0, 0.5)])
    for k in range(MATERIALS):
        places = grid + chance.normal(0, 0.02, grid.shape)
        cell = Lattice.orthorhombic(5 + k / 100, 5.3, 4.6)
        materials.append(describe(f"m-{k}", Structure(cell, ["Cu"] * 4 + ["O"] * 4, places), symprec=0.01))
    sites = [(material, k) for material in materials for k in range(SITES_A_MATERIAL)]
    write_structures(campaign(folder).structures, materials)
    write_site_table(campaign(folder).site_table, sites, chunks=CHUNKS)
    for name in ("faults", "bad"):
        (folder / name).mkdir()
    return [(f"m-{k}", i, f"{5 + k / 100:.4f}_{i}") for k in range(MATERIALS) for i in range(SITES_A_MATERIAL)]


def compute(folder: Path, chunk: int, time_limit: float = HANGS) -> None:
    """Compute a chunk as its rule does."""
    campaign(folder).simulate(FaultyEngine(str(folder / "marks"), time_limit=time_limit), chunk, WORKERS)
