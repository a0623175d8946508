"""Small campaigns of nickel on Slurm, called as a user calls them, whose engine starts are counted (see replay/)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import yaml
from forked_scripts import stand_in
from shared_data import PROJECT

from xanesflow.core.sites import chunk_of

REPLAY = PROJECT / "tests/slurm/replay"
LATTICE = "nickel\n1.0\n0 {h} {h}\n{h} 0 {h}\n{h} {h} 0\nNi\n1\nDirect\n0 0 0\n"
SITES_OF_A_CHUNK = 2


def materials() -> dict[str, str]:
    """Id -> name of its site in the marks: so many materials that each of four chunks has two."""
    found: dict[int, list[str]] = {chunk: [] for chunk in range(4)}
    number = 0
    while any(len(ids) < SITES_OF_A_CHUNK for ids in found.values()):
        ids = found[chunk_of(f"ni-{number:02d}", 4)]
        if len(ids) < SITES_OF_A_CHUNK:
            ids.append(f"ni-{number:02d}")
        number += 1
    return {name: f"a{3.42 + 0.02 * k:.2f}" for k, name in enumerate(sorted(chain.from_iterable(found.values())))}


def names_of_chunk(chunk: int, chunks: int) -> list[str]:
    """Names in the marks of a chunk's sites, in the order in which they are computed."""
    return [name for material, name in materials().items() if chunk_of(material, chunks) == chunk]


@dataclass
class SlurmCampaign:
    """A campaign in a folder of its own.

    Attributes:
        folder: working directory, which holds structures, marks and faults too.
        profiles: folder in which Snakemake finds the user's profiles.
        recorded: runs of the engine to replay, shared by campaigns.
    """

    folder: Path
    profiles: Path
    recorded: Path

    def write(self, *, chunks: int, **faults: dict[str, object]) -> SlurmCampaign:
        """Write structures, configuration and faults."""
        for name in ("mine", "marks"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.recorded.mkdir(exist_ok=True)
        (self.folder / "recorded").symlink_to(self.recorded)
        (self.folder / "faults.json").write_text(json.dumps(faults))
        for material, name in materials().items():
            (self.folder / f"mine/{material}.vasp").write_text(LATTICE.format(h=f"{float(name[1:]) / 2:.4f}"))
        changes = {
            "campaign": "nickel",
            "subsets": ["Ni_FEFF8L"],
            "chunks": chunks,
            "structures": {"source": "directory", "directory": "mine"},
            "simulations": {"source": "run", "feff8l": {"scf_iterations": 1, "fms_radius": 4.0, "l_max": 2}},
            "curation": {"envelope": {"FEFF8L": None}},
            "features": {"models": ["chgnet"]},
            "splits": {"fractions": [0.4, 0.3, 0.3]},
            "models": {"kinds": ["expert"], "max_epochs": 3, "patience": 2, "learning_rate": 1e-3},
        }
        config = yaml.safe_load((PROJECT / "config.yaml").read_text())
        for key, value in changes.items():
            config[key] = {**config[key], **value} if isinstance(value, dict) else value
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))
        return self

    def clone(self) -> SlurmCampaign:
        """Put the workflow itself into the folder, as `git clone` does, with the configuration written there."""
        for name in ("Snakefile", "rules", "profiles", "report", "workflow_scripts", "envs"):
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, self.folder / name)
        return self

    def command(self, *arguments: str) -> list[str]:
        """The call; beside the Snakefile nothing but the profile needs to be named."""
        where = [] if (self.folder / "Snakefile").exists() else ["--snakefile", str(PROJECT / "Snakefile")]
        config = [] if not where else ["--configfile", "config.yaml"]
        return [sys.executable, "-m", "snakemake", *where, "--profile", "slurm", *arguments, *config]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake; what it prints goes to a file."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "XANESFLOW_JOB"))}
        environment |= {
            "PYTHONPATH": os.pathsep.join(map(str, (REPLAY, PROJECT / "workflow_scripts"))),
            "XDG_CONFIG_HOME": str(self.profiles),
            "XANESFLOW_TEST_REPLAY": str(self.folder),
            "XANESFLOW_TEST_SCRIPTS": stand_in(),
        }
        with (self.folder / "printed.txt").open("a") as printed:
            return subprocess.Popen(
                self.command(*arguments), cwd=self.folder, env=environment, stdout=printed, stderr=printed, text=True,
                start_new_session=True,
            )  # fmt: skip

    def run(self, *arguments: str, good: bool = True) -> str:
        """Run Snakemake to its end; what it printed since the campaign began."""
        return self.end(self.start(*arguments), good=good)

    def end(self, process: subprocess.Popen[str], *, good: bool = True) -> str:
        """Wait for Snakemake's end; what it printed since the campaign began."""
        code = process.wait(timeout=400)
        printed = (self.folder / "printed.txt").read_text()
        assert (code == 0) == good, printed[-8000:]
        return printed

    def starts(self) -> dict[str, int]:
        """How often the engine was started for each site."""
        names = [path.name.split()[0] for path in (self.folder / "marks").glob("* start *")]
        return {name: names.count(name) for name in sorted(names)}

    def started(self, name: str) -> bool:
        """Whether a site was started."""
        return (self.folder / f"marks/{name} start 0").exists()

    def logs_of_jobs(self) -> str:
        """What its Slurm jobs printed, as far as they did not end well under a living Snakemake."""
        return "\n".join(path.read_text() for path in (self.folder / ".snakemake/slurm_logs").rglob("*.log"))

    def files(self) -> dict[str, bytes]:
        """All that its chunks hold but the records, which tell time and machine."""
        found = {}
        for path in (self.folder / "results/simulations/Ni_FEFF8L").glob("[0-9]*.zip"):
            with zipfile.ZipFile(path) as packed:
                assert packed.testzip() is None
                found |= {name: packed.read(name) for name in packed.namelist() if not name.endswith("run.json")}
        return found
