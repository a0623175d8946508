"""Time of predictions: a cold start of the command, one structure after the other, and a folder; in one table.

The structures are those of the published archive of FEFF runs (31 atoms on average). Each line has the wall time and
the CPU time of all processes, per structure, so that a busy machine shows. "One by one" means a call of
`xanesflow.predict` for each file, which loads model and featurizer each time; "kept" means one `Predictor` for all
files.

    python benchmarks/bench_predict.py --model FOLDER [--structures 1000] [--weights FOLDER] [--archive feff9-cu.tar.xz]
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import xanesflow
from xanesflow.prediction.predictor import Predictor

DATA = Path(os.environ.get("XANESFLOW_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def unpack(archive: Path, folder: Path, number: int) -> list[Path]:
    """Write some POSCARs of the archive below a folder, always the same ones."""
    found = []
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.name.endswith("/POSCAR") and (file := opened.extractfile(member)):
                path = folder / Path(member.name).parent.name / "POSCAR"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(file.read())
                found.append(path)
    found.sort()
    random.Random(0).shuffle(found)
    for path in found[number:]:
        path.unlink()
        path.parent.rmdir()
    return found[:number]


def processor_seconds() -> float:
    """CPU seconds of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(what: str, number: int, call: Callable[[], object]) -> None:
    """Print the time of a call, divided by the number of structures."""
    wall, used = time.perf_counter(), processor_seconds()
    call()
    wall, used = time.perf_counter() - wall, processor_seconds() - used
    print(f"{what:<44} {number:>6} {1e3 * wall / number:>10.1f} {1e3 * used / number:>10.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=DATA / "m3gnet" / "M3GNet-MP-2021.2.8-PES")
    parser.add_argument("--archive", type=Path, default=DATA / "feff9-cu.tar.xz")
    parser.add_argument("--structures", type=int, default=1000)
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        folder = Path(place) / "structures"
        folder.mkdir()
        paths = unpack(options.archive, folder, options.structures)
        command = [sys.executable, "-m", "xanesflow", "predict", "--model", options.model, "--weights", options.weights]
        output = Path(place) / "out.h5"

        def run(*arguments: object) -> None:
            subprocess.run([*map(str, command), *map(str, arguments)], check=True, capture_output=True)

        print(f"{'':<44} {'number':>6} {'wall ms':>10} {'CPU ms':>10}   (each structure)")
        run(paths[0])  # a first run, so that all files are in the disk cache
        for _ in range(3):
            measure("the command from cold, one file", 1, lambda: run(paths[0]))

        some = paths[: min(30, len(paths))]
        measure(
            "one by one: xanesflow.predict(file, model)",
            len(some),
            lambda: [xanesflow.predict(path, options.model, weights=options.weights) for path in some],
        )
        predictor = Predictor(options.model, weights=options.weights)
        predictor.predict(paths[0])
        some = paths[: min(200, len(paths))]
        measure("kept: predictor.predict(file)", len(some), lambda: [predictor.predict(path) for path in some])
        measure("a folder, kept, one process", len(paths), lambda: predictor.predict(folder))
        for workers in (1, 2):
            text = f"the command, a folder, to HDF5, --workers {workers}"
            measure(text, len(paths), lambda workers=workers: run(folder, "-o", output, "-w", workers))


if __name__ == "__main__":
    main()
