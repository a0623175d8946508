"""Speed of the embedded engine: whole sites of the example library, and full multiple scattering alone.

    python benchmarks/bench_engine.py [--every 3]

Sites run one after another on one core, each in the same way as in the workflow. The other table compares the
scattering with a plain dense solution of the same problem (complex128) at the same energies.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from xanesflow.codes.feff8l import EngineSettings
from xanesflow.codes.feff8l.cluster import cut_cluster
from xanesflow.codes.feff8l.job import write_job
from xanesflow.codes.feff8l.options import Rung
from xanesflow.codes.feff8l.programs import run_program
from xanesflow.codes.feff8l.read_outputs import read_atomic
from xanesflow.codes.feff8l.scattering import Scattering
from xanesflow.codes.feff8l.spectrum import fms_cluster
from xanesflow.codes.feff8l.write_inputs import ask_for_xanes, feff_inp
from xanesflow.core.sites import ELEMENTS
from xanesflow.structures.examples import load_examples
from xanesflow.structures.material import describe

sys.path.append(str(Path(__file__).parents[1] / "tests/support"))
from dense_scattering import dense_traces

COMMAND = [sys.executable, "-m", "xanesflow.codes.feff8l", "run"]

CLUSTERS = (
    "nio-rocksalt", "tio2-rutile", "cr2o3-corundum", "co3o4-spinel", "lamno3-perovskite", "v2o5-shcherbinaite",
    "mn2o3-bixbyite", "cuo-tenorite", "fe2sio4-olivine", "cuwo4-triclinic",
)  # fmt: skip


def sites() -> list:
    """(id, structure, site index) of every inequivalent absorber of the library."""
    found = []
    for example in load_examples():
        structure = example.structure()
        material = describe(example.id, structure, symprec=0.01)
        for k in sorted(set(material.equivalent)):
            if material.elements[k] in ELEMENTS:
                found.append((example.id, structure, k))
    return found


def time_sites(every: int) -> None:
    """Measure time and memory of whole sites, and print the table."""
    seconds, cpu, rungs, scattering, failed = [], [], [], [], 0
    chosen = sites()[::every]
    for name, structure, index in chosen:
        with tempfile.TemporaryDirectory() as folder:
            write_job(Path(folder), structure, index, EngineSettings())
            before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, check=False)
            seconds.append(time.perf_counter() - begin)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            if done.returncode:
                failed += 1
                print(f"{name} site {index}: {done.stdout.splitlines()[-1]}")
                continue
            record = json.loads((Path(folder) / "result.json").read_text())
            rungs.append(record["rung_number"])
            scattering.append(record["seconds_scattering"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print("| sites | failed | s a site: median | 90 % | CPU s: median | scattering s: median | first rung | peak MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(
        f"| {len(chosen)} | {failed} | {np.median(seconds):.1f} | {np.quantile(seconds, 0.9):.1f} | "
        f"{np.median(cpu):.1f} | {np.median(scattering):.2f} | {np.mean(np.array(rungs) == 1):.0%} | {peak:.0f} |\n"
    )


def time_scattering(radius: float) -> None:
    """Compare time and results of the scattering with the plain dense solution."""
    print(
        "| cluster | atoms | operations | dense s an energy | ours | times faster | largest difference of χ, % of max |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    gains, differences = [], []
    for example in load_examples():
        if example.id not in CLUSTERS:
            continue
        structure = example.structure()
        index = next(k for k, site in enumerate(structure) if site.specie.symbol in ELEMENTS)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / "feff.inp").write_text(feff_inp(cut_cluster(structure, index), Rung(None, 0, 0), core_hole=False))
            run_program("feff8l_rdinp", path, outputs=("pot.json",), time_limit=60)
            ask_for_xanes(path)
            run_program("feff8l_pot", path, outputs=("pot.pad",), time_limit=60)
            run_program("feff8l_xsph", path, outputs=("phase.pad", "xsect.json"), time_limit=60)
            atomic = read_atomic(path)
        positions, kinds = fms_cluster(atomic, radius)
        energies = np.arange(atomic.fermi_index, len(atomic.energy), 7)
        t = tuple(atomic.t_matrix(k)[:4, energies] for k in range(len(atomic.phases)))
        momenta = atomic.momentum[energies]
        begin = time.process_time()
        dense = dense_traces(momenta, t, positions, kinds, 3)
        middle = time.process_time()
        scattering = Scattering(positions, kinds)
        ours = scattering.traces(momenta, t)
        end = time.process_time()
        before, after = (middle - begin) / len(energies), (end - middle) / len(energies)
        matrix_elements = (atomic.matrix_elements[:, energies] ** 2).sum(axis=0)
        difference = np.abs((ours - dense) * matrix_elements).max() / np.abs(dense * matrix_elements).max()
        gains.append(before / after)
        differences.append(difference)
        print(
            f"| {example.id} | {len(positions)} | {len(scattering.group.signs)} | {before:.3f} | {after:.4f} | "
            f"{gains[-1]:.1f} | {100 * difference:.2f} |"
        )
    print(f"| median | | | | | {np.median(gains):.1f} | {100 * np.median(differences):.2f} |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=3, help="use every n-th site of the library")
    parser.add_argument("--radius", type=float, default=EngineSettings().fms_radius, help="of the scattering, in Å")
    given = parser.parse_args()
    with threadpool_limits(limits=1):
        time_scattering(given.radius)
    print()
    time_sites(given.every)


if __name__ == "__main__":
    main()
