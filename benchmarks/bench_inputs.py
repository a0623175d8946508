"""Are the inputs of FEFF the same as the published ones, and how fast are they written?

The inputs of each published Cu run are written again from its POSCAR and compared: cards, potentials, and each atom of
the cluster within 1e-4 Å. Then one chunk of 1,000 of these sites is written and packed; this should take at most 60 s.

    python benchmarks/bench_inputs.py [--archive ../shared/data/feff9-cu.tar.xz] [--sites 1000] [--workers 2]
"""

import argparse
import resource
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path

from pymatgen.io.vasp import Poscar

from xanesflow.codes.feff.write_inputs import Feff
from xanesflow.config.inputs import InputsSection
from xanesflow.core.parallel import map_in_processes
from xanesflow.inputs.write_chunk import write_inputs
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures

sys.path.append(str(Path(__file__).parents[1] / "tests/support"))
from compare_feff_inp import differences, parse_feff_input

ARCHIVE = Path(__file__).parents[1].parent / "shared/data/feff9-cu.tar.xz"


def read_archive(path):
    """Materials with their POSCAR and the published feff.inp of each site."""
    poscars, runs = {}, {}
    with tarfile.open(path) as archive:
        for member in archive:
            parts = member.name.split("/")
            if parts[-1] == "POSCAR":
                poscars[parts[-2]] = archive.extractfile(member).read().decode()
            elif parts[-1] == "feff.inp":
                text = archive.extractfile(member).read().decode()
                runs.setdefault(parts[-4], {})[int(parts[-2].split("_")[0])] = text
    return [(material, poscars[material], runs[material]) for material in sorted(runs)]


def compare(material):
    """Compare each run of a material: a kind of difference (or `equal`), and a sentence."""
    name, poscar, published = material
    structure = Poscar.from_str(poscar).structure
    found = []
    with tempfile.TemporaryDirectory() as folder:
        left_out = Feff(InputsSection().of("FEFF"), "Cu").write(Path(folder), structure, sorted(published))
        for site, text in sorted(published.items()):
            if site in left_out:
                found.append((left_out[site].reason, f"{name} site {site}: {left_out[site]}"))
                continue
            ours = parse_feff_input(Path(folder, f"FEFF-XANES/{site:03}_Cu/feff.inp").read_text())
            differs = differences(ours, parse_feff_input(text))
            kind = " and ".join(differs) or "equal"
            found.append((kind, f"{name} site {site}: {'; '.join(differs.values())}"))
    return found


def timed(materials, sites, workers):
    """Write and pack some sites: seconds, number of sites, bytes of the zip."""
    described, pairs = [], []
    for name, poscar, runs in materials:
        if len(pairs) >= sites:
            break
        described.append(describe(name, Poscar.from_str(poscar).structure, symprec=0.01))
        pairs += [(described[-1], site) for site in sorted(runs)]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("structures.parquet", "sites.parquet", "0000.zip", "rejected.parquet")]
        write_structures(paths[0], described)
        write_site_table(paths[1], pairs[:sites], chunks=1)
        start = time.perf_counter()
        write_inputs(*paths, subset="Cu_FEFF", chunk=0, options=InputsSection().of("FEFF"), workers=workers)
        seconds = time.perf_counter() - start
        return seconds, len(pairs[:sites]), paths[2].stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, default=ARCHIVE)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    materials = read_archive(given.archive)
    seconds, sites, size = timed(materials, given.sites, given.workers)
    mib = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    found = [each for some in map_in_processes(compare, materials, given.workers) for each in some]
    counts = Counter(kind for kind, _ in found)
    print(f"{'published feff.inp':<40}{'runs':>6}")
    for kind, number in sorted(counts.items(), key=lambda item: (item[0] != "equal", item)):
        print(f"{kind:<40}{number:6}")
    print(f"{'all':<40}{len(found):6}")
    for kind, told in found:
        if kind != "equal":
            print(f"  {told}")
    print(f"\n{'sites':>6}{'workers':>9}{'seconds':>9}{'(bar)':>7}{'zip, MB':>9}{'MiB':>6}")
    print(f"{sites:6}{given.workers:9}{seconds:9.1f}{60:7}{size / 1e6:9.1f}{mib:6.0f}")


if __name__ == "__main__":
    main()
