"""How long does `xanesflow status` take on the full campaign, half done: eight elements by FEFF, Ti and Cu by VASP?

The campaign has 82,000 sites in ten subsets. Half of the chunks are finished, a few are running, and one was left
behind by a dead process. The limit is 2 s, even if none of Python's own files are in the disk cache. The wall time
depends on other users of the machine, the CPU time does not.

    python benchmarks/bench_status.py [--sites 82000] [--chunks 32] [--keep DIRECTORY]
"""

import argparse
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from xanesflow.core.files import write_text
from xanesflow.core.sites import chunk_name, chunk_of, site_id
from xanesflow.simulations.state.progress import ChunkState, hash_sites, process_start, progress_path

SUBSETS = {
    "Ti_FEFF": 6422, "V_FEFF": 10813, "Cr_FEFF": 3067, "Mn_FEFF": 17052, "Fe_FEFF": 12067, "Co_FEFF": 10753,
    "Ni_FEFF": 4335, "Cu_FEFF": 4172, "Ti_VASP": 3784, "Cu_VASP": 3226,
}  # fmt: skip
"""Numbers of spectra in the published subsets. More sites were simulated, in about the same proportions."""

BAR = 2.0


def write_campaign(directory: Path, sites: int, chunks: int) -> int:
    """Write site tables, chunks and the records of their progress; returns the number of sites."""
    chance, total, written = random.Random(0), sum(SUBSETS.values()), 0
    for subset, share in SUBSETS.items():
        number = round(sites * share / total)
        materials = [f"mp-{k // 2}" for k in range(number)]
        table = pd.DataFrame({
            "material_id": materials, "site_index": [k % 2 for k in range(number)], "multiplicity": 1,
            "formula": "CuO", "n_atoms": 2, "chunk": [chunk_of(name, chunks) for name in materials],
            "cluster_atoms": 200, "core_hours": 1.9 if subset.endswith("_FEFF") else float("nan"),
        })  # fmt: skip
        folder = directory / "results/structures"
        folder.mkdir(parents=True, exist_ok=True)
        table.to_parquet(folder / f"{subset}_sites.parquet", index=False)
        rejected = pd.DataFrame({"material_id": "mp-1", "site_index": -1, "reason": ["disordered"] * 500, "detail": ""})
        rejected.to_parquet(folder / f"{subset}_rejected.parquet", index=False)
        for chunk, rows in table.groupby("chunk"):
            _write_chunk(directory / "results/simulations" / subset, subset, chunk, chunks, rows=rows, chance=chance)
        written += number
    return written


def _write_chunk(
    folder: Path, subset: str, chunk: int, chunks: int, *, rows: pd.DataFrame, chance: random.Random
) -> None:
    of_chunk = list(rows[["material_id", "site_index"]].itertuples(index=False, name=None))
    finished, running, dead = chunk < chunks // 2, chunk == chunks // 2, chunk == chunks // 2 + 1
    if not (finished or running or dead):
        return
    done = len(of_chunk) if finished else len(of_chunk) // 2
    failed = min(done, chance.randrange(5))
    state = ChunkState(
        subset, chunk, len(of_chunk), hash_sites(of_chunk), "finished" if finished else "running", done - failed,
        {"timed_out": failed} if failed else {}, 6800.0 * done, workers=4, started=time.time() - 3600,
        host=socket.gethostname(), process=os.getpid() if running else 2**22 + 1,
        process_start=process_start(os.getpid()),
        running={site_id(*site): time.time() - 600 for site in of_chunk[-4:]} if running else {},
    )  # fmt: skip
    write_text(progress_path(folder, chunk), json.dumps(asdict(state), indent=1))
    if finished:
        (folder / "kept").mkdir(exist_ok=True)
        for path in (folder / f"{chunk_name(chunk)}.zip", folder / f"kept/{chunk_name(chunk)}.zip"):
            path.touch()
    else:
        (folder / "kept" / chunk_name(chunk)).mkdir(parents=True, exist_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=82_000)
    parser.add_argument("--chunks", type=int, default=32)
    parser.add_argument("--keep", type=Path, help="write the campaign into this folder and leave it there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = options.keep or Path(folder)
        sites = write_campaign(directory, options.sites, options.chunks)
        command = [sys.executable, "-m", "xanesflow", "status", str(directory)]
        rows = []
        for _ in range(3):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            shown = subprocess.run(command, capture_output=True, text=True, check=True)
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            rows.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    print(shown.stdout)
    mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{'sites':>7}{'subsets':>9}{'chunks each':>13}{'wall s':>8}{'(bar)':>7}{'processor s':>13}{'MiB':>6}")
    for wall, processor in rows:
        print(f"{sites:7}{len(SUBSETS):9}{options.chunks:13}{wall:8.2f}{BAR:7.1f}{processor:13.2f}{mib:6.0f}")


if __name__ == "__main__":
    main()
