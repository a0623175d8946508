"""Check finished FEFF runs: the published Cu runs of FEFF 9, and known failures of FEFF 10.

In the archive, every run with a spectrum must be accepted, and every run without one refused. In the folder of
failures, only the run called `ok` may be accepted.

    python benchmarks/bench_check.py [--archive ../shared/data/feff9-cu.tar.xz] [--faults ../shared/data/feff10-faults]
                                     [--workers 2]
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from xanesflow.codes.archive import read_archive
from xanesflow.simulations.check_runs import check_folders

DATA = Path(__file__).parents[1].parent / "shared/data"


def judge(name, folder, workers):
    """Check the runs in a folder and print a table; returns the accepted and the refused runs."""
    begin = time.perf_counter()
    verdicts = list(check_folders([folder], workers=workers))
    seconds = time.perf_counter() - begin
    counts = Counter(verdict.reason or "accepted" for verdict in verdicts)
    print(f"\n{name}: {len(verdicts)} runs in {seconds:.1f} s, {1e3 * seconds / len(verdicts):.1f} ms a run")
    for reason, number in counts.most_common():
        print(f"  {reason:20s} {number:6d}")
    return [v.folder for v in verdicts if not v.reason], [v.folder for v in verdicts if v.reason]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, default=DATA / "feff9-cu.tar.xz")
    parser.add_argument("--faults", type=Path, default=DATA / "feff10-faults")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for member in read_archive(given.archive, lambda name: True):
            path = Path(name) / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.content)
        accepted, refused = judge(given.archive.name, Path(name), given.workers)
        good = all((folder / "xmu.dat").exists() for folder in accepted)
        good &= not any((folder / "xmu.dat").exists() for folder in refused)
    accepted, _ = judge(given.faults.name, given.faults, 1)
    good &= [folder.name for folder in accepted] == ["ok"]
    print("\nas it should be" if good else "\nNOT as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
