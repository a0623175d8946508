"""How long Snakemake plans the full campaign: eight elements by FEFF, Ti and Cu by VASP, 82,000 sites.

The graph is static: its size goes with the chunks, not with the sites. The bar is 10 s and 300 MiB.

    python benchmarks/bench_planning.py [--chunks 32]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SNAKEFILE = Path(__file__).parents[1] / "Snakefile"
SUBSETS = [f"{element}_FEFF" for element in ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu")] + ["Ti_VASP", "Cu_VASP"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=32)
    chunks = parser.parse_args().chunks
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "archive").mkdir()
        Path(folder, "ten.yaml").write_text(
            f"subsets: [{', '.join(SUBSETS)}]\nchunks: {chunks}\nsimulations: {{archive: archive}}\n"
        )
        command = [sys.executable, "-m", "snakemake", "-n", "-s", str(SNAKEFILE), "--configfile", "ten.yaml"]
        start = time.perf_counter()
        planned = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
    jobs = next(line.split()[1] for line in planned.stdout.splitlines() if line.startswith("total"))
    mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{'subsets':>8}{'chunks each':>13}{'jobs':>6}{'seconds':>9}{'(bar)':>7}{'MiB':>6}{'(bar)':>7}")
    print(f"{len(SUBSETS):8}{chunks:13}{jobs:>6}{seconds:9.1f}{10:7}{mib:6.0f}{300:7}")


if __name__ == "__main__":
    main()
