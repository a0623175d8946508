"""An engine of the tests' own: does to a site what the test says, and leaves a mark for each time it was run."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.simulations.run_chunk import simulate_chunk
from xanesflow.structures.material import SiteCost, describe
from xanesflow.structures.site_table import write_site_table, write_structures

PROGRAM = """
import json, os, pathlib, signal, subprocess, sys, time
job = json.loads(pathlib.Path("job.json").read_text())
marks = pathlib.Path(job["marks"])
number = len(list(marks.glob(f"{job['name']} *")))
while True:
    try:  # two sites of one name may be at work
        with open(marks / f"{job['name']} {number}", "x") as mark:
            mark.write(f"{os.getpid()} {os.getcwd()}")
        break
    except FileExistsError:
        number += 1
do = job["do"]
print("threads", os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
if do == "hang":
    below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (marks / f"{job['name']} child").write_text(str(below.pid))
    time.sleep(600)
if do == "crash":
    for k in range(20):
        print("line", k)
    sys.exit(3)
if do == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if do == "segfault":
    os.kill(os.getpid(), signal.SIGSEGV)
if do == "disk":
    print("ERROR: the system said: No space left on device")
    sys.exit(1)
if do == "memory":
    raise MemoryError
if do == "fill":
    with open("xmu.dat", "wb") as opened:
        while True:
            opened.write(bytes(2**16))
if do.startswith("wait"):
    time.sleep(float(do[4:]))
if do != "nothing":
    pathlib.Path("xmu.dat").write_text(f"spectrum of {job['name']}\\n")
pathlib.Path("big.tmp").write_text("scratch")
"""


@dataclass
class FakeEngine:
    """See the module.

    Attributes:
        marks: folder of marks, `<partner> <number>` for each start of the program.
        do: what happens to the material with this partner element: hang, crash, kill, ...; others are good.
        options: part of the settings.
        program: name of the program, if it is another.
        time_limit: in seconds.
    """

    marks: str
    do: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    program: str = sys.executable
    time_limit: float = 60.0
    theory: str = "FEFF8L"
    log_name: str = "feff.out"
    keep: tuple[str, ...] = ("feff.inp", "feff.out", "xmu.dat")

    def settings(self) -> dict[str, Any]:
        return {"code": "fake 1", **self.options}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        name = structure[0].specie.symbol
        do = self.do.get(name, "")
        if do == "unusable":
            raise FailedRunError("isolated_atom", "it stands alone")
        if do == "sentence":
            raise XanesflowError("no input can be written")
        if do == "fault":
            raise ValueError("a\nfault")
        (folder / "feff.inp").write_text(f"{name} {site_index}\n")
        job = {"name": name, "do": do, "marks": self.marks}
        (folder / "job.json").write_text(json.dumps(job))

    def command(self, folder: Path) -> list[str]:
        return [self.program, "-I", "-S", "-u", "-c", PROGRAM]

    def validate(self, folder: Path) -> None:
        if not (folder / "xmu.dat").exists() and "line" not in (folder / self.log_name).read_text():
            raise FailedRunError("not_converged", "no spectrum came of it")

    def record(self, folder: Path) -> dict[str, Any]:
        return {"rung": "first", "attempts": 2}


@dataclass
class Campaign:
    """Structures, tables and folders of a subset that the fake engine computes.

    Materials are perovskites SrCuO3, CaCuO3 ... named `m-sr`, `m-ca` ...; each has the same sites, atom 1 if not told.
    """

    folder: Path
    chunks: int = 1
    subset: str = "Cu_FEFF8L"
    sites: tuple[int, ...] = (1,)
    core_hours: float | None = None  # expected of each site
    only: Path | None = None  # list of the sites to be computed

    def __post_init__(self) -> None:
        for name in ("marks", "scratch"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def write(self, *partners: str, chunks: int | None = None) -> Campaign:
        """Write the tables of the materials with these partners."""
        from feff_runs import perovskite

        self.chunks = chunks or self.chunks
        element = Subset.parse(self.subset).element
        materials = [describe(f"m-{p.lower()}", perovskite(element, p), symprec=0.01) for p in partners]
        sites = [(material, site) for material in materials for site in self.sites]
        costs = {(m.material_id, k): SiteCost(100, self.core_hours) for m, k in sites} if self.core_hours else None
        write_structures(self.structures, materials)
        write_site_table(self.site_table, sites, chunks=self.chunks, costs=costs)
        return self

    def engine(self, **options: Any) -> FakeEngine:
        return FakeEngine(str(self.folder / "marks"), **options)

    @property
    def structures(self) -> Path:
        return self.folder / "structures.parquet"

    @property
    def site_table(self) -> Path:
        return self.folder / "sites.parquet"

    def output(self, chunk: int = 0) -> Path:
        return self.folder / "out" / f"{chunk:04d}.zip"

    @property
    def kept(self) -> Path:
        return self.output().parent / "kept"

    def run(self, chunk: int = 0, workers: int = 2, **options: Any) -> Path:
        """Compute a chunk as a rule does, whose output Snakemake has deleted before."""
        self.output(chunk).unlink(missing_ok=True)
        self.simulate(self.engine(**options), chunk, workers)
        return self.output(chunk)

    def run_again(self, chunk: int = 0, workers: int = 2, **options: Any) -> dict[str, int]:
        """How often the program is started for each partner when a chunk is computed once more."""
        self.computed()
        self.run(chunk, workers, **options)
        return self.computed()

    def simulate(self, engine: FakeEngine, chunk: int, workers: int) -> None:
        simulate_chunk(
            self.structures, self.site_table, self.output(chunk), self.kept,
            subset=self.subset, chunk=chunk, engine=engine, workers=workers, scratch=self.folder / "scratch",
            only=self.only,
        )  # fmt: skip

    def computed(self) -> dict[str, int]:
        """How often the program was started for each partner, since this was asked last."""
        counts: dict[str, int] = {}
        for path in sorted((self.folder / "marks").iterdir()):
            name, _, what = path.name.partition(" ")
            if what != "child":
                counts[name] = counts.get(name, 0) + 1
            path.unlink()
        return counts


class WorkingDirectory(Campaign):
    """The same with all files where the workflow has them, so that others find them."""

    @property
    def structures(self) -> Path:
        return self.folder / f"results/structures/{self.subset}.parquet"

    @property
    def site_table(self) -> Path:
        return self.folder / f"results/structures/{self.subset}_sites.parquet"

    def output(self, chunk: int = 0) -> Path:
        return self.folder / f"results/simulations/{self.subset}/{chunk:04d}.zip"


def outcomes(chunk: Path) -> dict[str, str]:
    """The reason of each material's site in a chunk, or `finished`."""
    return {run.material_id: run.record.get("reason", run.record["outcome"]) for run in read_chunk(chunk, "FEFF8L")}
