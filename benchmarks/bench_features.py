"""Time of the M3GNet features, compared with a plain loop over matgl's own network (with its sum corrected).

Both run in one process on the same structures, with one thread each. They alternate after every few structures, so that
a busy machine slows both alike. The peak memory is that of a process that only computes the features of all structures.

    python benchmarks/bench_features.py [--structures 200] [--weights FOLDER] [--archive feff9-cu.tar.xz]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tarfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from pymatgen.core import Structure

from xanesflow.features.featurizers import get_featurizer

sys.path.append(str(Path(__file__).parents[1] / "tests/support"))
import matgl_reference

DATA = Path(os.environ.get("XANESFLOW_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
PIECE = 20


def read_structures(archive: Path) -> list[Structure]:
    with tarfile.open(archive) as opened:
        files = (opened.extractfile(member) for member in opened if member.name.endswith("/POSCAR"))
        return [Structure.from_str(file.read().decode(), fmt="poscar") for file in files if file]


def peak_memory_mib() -> float:
    # resource.getrusage would include the peak of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def compute_all(structures: list[Structure], weights: Path, name: str) -> None:
    """Print seconds, milliseconds per structure, and peak memory of this process."""
    featurizer = get_featurizer(name, weights=weights)
    started = time.perf_counter()
    answers = featurizer.compute(structures)
    seconds = time.perf_counter() - started
    good = sum(isinstance(answer, np.ndarray) for answer in answers)
    print(
        f"{name:<12} {good:>6} of {len(structures)} structures {seconds:>8.1f} s "
        f"{1e3 * seconds / len(structures):>8.2f} ms/structure {peak_memory_mib():>7.0f} MiB at most"
    )


def take_turns(structures: list[Structure], weights: Path) -> None:
    """Time matgl's loop and our featurizer in turns, and print the table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matgl warns about the age of the model
        reference = matgl_reference.reference_model(weights)
    featurizer = get_featurizer("m3gnet", weights=weights)
    for structure in structures[:5]:  # the first calls are slower
        matgl_reference.reference_features(reference, structure)
    featurizer.compute(structures[:5])
    seconds = {"matgl": 0.0, "xanesflow": 0.0}
    difference = largest = 0.0
    for start in range(0, len(structures), PIECE):
        piece = structures[start : start + PIECE]
        clock = time.perf_counter()
        theirs = [matgl_reference.reference_features(reference, structure)["gc_3"].numpy() for structure in piece]
        seconds["matgl"] += time.perf_counter() - clock
        clock = time.perf_counter()
        ours = featurizer.compute(piece)
        seconds["xanesflow"] += time.perf_counter() - clock
        difference = max(difference, *(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)))
        largest = max(largest, *(float(np.abs(each).max()) for each in theirs))
    atoms = sum(map(len, structures))
    print(f"{len(structures)} structures of {atoms / len(structures):.1f} atoms on average, one thread each")
    print(f"{'m3gnet':<12} {'ms/structure':>13} {'atoms/s':>9} {'times matgl':>12} {'max rel. difference':>20}")
    for name, taken in seconds.items():
        ratio, error = seconds["matgl"] / taken, difference / largest if name != "matgl" else 0
        print(f"{name:<12} {1e3 * taken / len(structures):>13.2f} {atoms / taken:>9.0f} {ratio:>12.2f} {error:>20.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=int, default=200, help="number of structures to compare")
    parser.add_argument("--weights", type=Path, default=DATA / "m3gnet" / "M3GNet-MP-2021.2.8-PES")
    parser.add_argument("--archive", type=Path, default=DATA / "feff9-cu.tar.xz", help="packed Lightshow tree")
    parser.add_argument("--all", metavar="NAME", help="only compute these features of all structures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    structures = read_structures(options.archive)
    if options.all:
        compute_all(structures, options.weights, options.all)
        return
    sample = random.Random(0).sample(structures, min(options.structures, len(structures)))
    take_turns(sample, options.weights)
    for name in ("m3gnet", "m3gnet_all", "chgnet"):
        arguments = ["--all", name, "--weights", options.weights, "--archive", options.archive]
        subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
