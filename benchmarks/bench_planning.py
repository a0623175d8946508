"""How long does Snakemake take to plan the full campaign: eight elements by FEFF, Ti and Cu by VASP, 82,000 sites?

It plans the report and everything that the report needs, for three campaigns: an import of finished runs, a campaign
whose structures exist and whose simulations do not, and one with half of the chunks done (their files exist, and so do
Snakemake's records of them). The graph is static: its size depends on the chunks, not on the sites. The limits are 5 s
and 300 MiB. The wall time depends on other users of the machine, the CPU time does not.

    python benchmarks/bench_planning.py [--chunks 32] [--sites 82000]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_status import SUBSETS, write_campaign

from xanesflow.core.sites import chunk_name

SNAKEFILE = Path(__file__).parents[1] / "Snakefile"
BAR, BAR_MIB = 5.0, 300


def call(directory: Path, *arguments: str) -> tuple[str, float, float, float]:
    """Output of a call of Snakemake, its wall and CPU seconds, and its memory in MiB."""
    command = [sys.executable, "-m", "snakemake", "-s", str(SNAKEFILE), "-d", str(directory), *arguments]
    command += ["--configfile", str(directory / "ten.yaml")]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, cwd=directory)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        sys.exit(text[-3000:])
    return text, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def plan(directory: Path, what: str, chunks: int) -> None:
    """Measure a dry run and print its row."""
    printed, wall, processor, mib = call(directory, "-n")
    jobs = next(line.split()[1] for line in printed.splitlines() if line.startswith("total"))
    print(f"{what:>22}{len(SUBSETS):9}{chunks:13}{jobs:>6}{wall:8.1f}{processor:13.1f}{BAR:7}{mib:6.0f}{BAR_MIB:7}")


def finish_half(directory: Path, chunks: int) -> None:
    """Make Snakemake record the structures and half of the chunks as finished."""
    done = []
    for subset in SUBSETS:
        structures = directory / f"results/structures/{subset}.parquet"
        shutil.copyfile(directory / f"results/structures/{subset}_sites.parquet", structures)
        done.append(str(structures.relative_to(directory)))
        for chunk in range(chunks // 2):
            path = directory / f"results/simulations/{subset}/{chunk_name(chunk)}.zip"
            path.touch()
            done.append(str(path.relative_to(directory)))
    call(directory, "--touch", "--cores", "2", *done)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=32)
    parser.add_argument("--sites", type=int, default=82_000)
    options = parser.parse_args()
    print(f"{'campaign':>22}{'subsets':>9}{'chunks each':>13}{'jobs':>6}{'wall s':>8}{'processor s':>13}{'(bar)':>7}"
          f"{'MiB':>6}{'(bar)':>7}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "archive").mkdir()
        (directory / "mine").mkdir()
        head = f"subsets: [{', '.join(SUBSETS)}]\nchunks: {options.chunks}\n"
        (directory / "ten.yaml").write_text(head + "simulations: {archive: archive}\n")
        plan(directory, "import, nothing done", options.chunks)
        run = "structures: {source: directory, directory: mine}\nsimulations: {source: run}\n"
        (directory / "ten.yaml").write_text(head + run)
        plan(directory, "run, nothing done", options.chunks)
        write_campaign(directory, options.sites, options.chunks)
        finish_half(directory, options.chunks)
        plan(directory, "run, half done", options.chunks)


if __name__ == "__main__":
    main()
