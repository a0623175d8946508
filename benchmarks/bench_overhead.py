"""How much time does the workflow itself need for each simulated site, and how many files does a chunk leave?

`snakemake simulations` computes 2,000 sites in 8 chunks on two cores with an engine that does nothing: its command is
`true`, and its files are as large as those of a FEFF run. So this measures the workflow alone: Snakemake, the start of
each chunk's process, hashing, scratch folders, the supervision of each command, storing and packing finished runs, the
list of failures. The limit is 0.15 s per site. Wall time and CPU time (of both cores together) are printed, because
others may use the machine too. With --profile, it also prints where the process of a chunk spends its time.

    python benchmarks/bench_overhead.py [--sites 2000] [--chunks 8] [--cores 2] [--profile]
"""

import argparse
import cProfile
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pymatgen.core import Lattice, Structure

from xanesflow.simulations.run_chunk import simulate_chunk

SNAKEFILE = Path(__file__).parents[1] / "Snakefile"
SITES_A_MATERIAL = 8
BAR, BAR_FILES = 0.15, 10

PATCH = """
import importlib.util, sys
sys.path.append({here!r})
class Patch:
    def find_spec(self, name, path, target=None):
        if name != "xanesflow.codes.engine":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            def engine_of(theory, options):
                from bench_overhead import NothingEngine
                return NothingEngine()
            module.engine_of = engine_of
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Patch())
"""
"""sitecustomize.py, which each Python that Snakemake starts reads: it replaces the engine by the one below."""


@dataclass
class NothingEngine:
    """An engine that writes files of the usual size and runs `true`."""

    theory: str = "FEFF8L"
    log_name: str = "feff.out"
    time_limit: float = 60.0
    keep: tuple[str, ...] = ("feff.inp", "feff.out", "xmu.dat")

    def settings(self) -> dict[str, Any]:
        """Settings that enter the hash of a run."""
        return {"code": "nothing"}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write all files, including those of the result."""
        (folder / "feff.inp").write_text("".join(f"{k} {site_index} 1.0 2.0 3.0\n" for k in range(300)))
        (folder / "xmu.dat").write_text("".join(f"{9000 + k * 0.25:.3f} {k / 141:.5e} 1.0\n" for k in range(400)))

    def command(self, folder: Path) -> list[str]:
        """The command to run."""
        return ["true"]

    def validate(self, folder: Path) -> None:
        """Accept every run."""

    def record(self, folder: Path) -> dict[str, Any]:
        """Record nothing."""
        return {}


def write_structures(folder: Path, materials: int) -> None:
    """Write cells of eight copper and eight oxygen atoms, of which no two are equivalent."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    grid = np.array([[x, y, z] for x in (0, 0.5) for y in (0, 0.25, 0.5, 0.75) for z in (0, 0.5)])
    for number in range(materials):
        places = grid + chance.normal(0, 0.01, grid.shape)
        Structure(Lattice.orthorhombic(5.0, 8.5, 4.6), ["Cu", "O"] * 8, places).to(
            str(folder / f"m-{number}.vasp"), fmt="poscar"
        )


def call(directory: Path, target: str, cores: int) -> tuple[float, float]:
    """Wall and CPU seconds of a call of Snakemake."""
    command = [sys.executable, "-m", "snakemake", target, "--snakefile", str(SNAKEFILE), "--directory", str(directory),
               "--cores", str(cores), "--configfile", str(directory / "campaign.yaml")]  # fmt: skip
    paths = [str(directory / "patch"), str(SNAKEFILE.parent / "workflow_scripts"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def files_of_a_chunk(directory: Path, name: str) -> list[Path]:
    """All files with a chunk's number in their name, including those of Snakemake."""
    found = []
    for path in directory.rglob("*"):
        told = b64decode(path.name).decode() if path.parent.name == "metadata" else path.name
        if path.is_file() and name in told:
            found.append(path.relative_to(directory))
    return found


def profile_chunk(directory: Path) -> None:
    """Print where the process of one chunk spends its time, without imports; its threads run one after another."""
    profiles: list[cProfile.Profile] = []
    run, folder = threading.Thread.run, directory / "results/structures"

    def profiled(thread: threading.Thread) -> None:
        profiles.append(cProfile.Profile())
        profiles[-1].runcall(run, thread)

    threading.Thread.run = profiled  # type: ignore[method-assign]
    simulate_chunk(
        folder / "Cu_FEFF8L.parquet", folder / "Cu_FEFF8L_sites.parquet", directory / "again/0000.zip",
        directory / "again/kept", subset="Cu_FEFF8L", chunk=0, engine=NothingEngine(), workers=1,
    )  # fmt: skip
    threading.Thread.run = run  # type: ignore[method-assign]
    pstats.Stats(*profiles).sort_stats("cumulative").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=2000)
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        write_structures(directory / "structures", options.sites // SITES_A_MATERIAL)
        (directory / "patch").mkdir()
        (directory / "patch/sitecustomize.py").write_text(PATCH.format(here=str(Path(__file__).parent)))
        campaign = {
            "subsets": ["Cu_FEFF8L"], "chunks": options.chunks, "simulations": {"source": "run"},
            "structures": {"source": "directory", "directory": str(directory / "structures")},
        }  # fmt: skip
        (directory / "campaign.yaml").write_text(yaml.safe_dump(campaign))
        call(directory, "structures", options.cores)
        wall, processors = call(directory, "simulations", options.cores)
        files = files_of_a_chunk(directory, "0000")
        if options.profile:
            profile_chunk(directory)
    print(f"{'sites':>6}{'chunks':>8}{'cores':>7}{'wall s a site':>15}{'processor s a site':>20}{'(bar)':>7}"
          f"{'files a chunk':>15}{'(bar)':>7}")  # fmt: skip
    print(f"{options.sites:6}{options.chunks:8}{options.cores:7}{wall / options.sites:15.3f}"
          f"{processors / options.sites:20.3f}{BAR:7}{len(files):15}{BAR_FILES:7}")  # fmt: skip
    print("files: " + ", ".join(sorted(map(str, files))))


if __name__ == "__main__":
    main()
