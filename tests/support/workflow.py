"""Call the workflow as a user does: in a directory of its own, with a config file."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import forked_snakemake
import h5py
import numpy as np
import yaml
from shared_data import PROJECT

CALL = [sys.executable, "-m", "snakemake"]
SNAKEMAKE = [*CALL, "--snakefile", str(PROJECT / "Snakefile")]

QUICK = {"max_epochs": 3, "patience": 2, "learning_rate": 1e-3}
"""Trainings of a test: long enough to go through all steps, too short to learn."""


def write_config(directory: Path, **values) -> Path:
    """Write campaign.yaml into `directory`, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "campaign.yaml"
    path.write_text(yaml.safe_dump({"campaign": "test", "chunks": 3, "models": QUICK, **values}))
    return path


def write_import_config(
    directory: Path, archive: Path | str, *features: str, envelope: float | None = 2.5, **values
) -> None:
    """The same for the Cu runs of an archive, with features of these models, or of the default ones."""
    models = {"features": {"models": list(features)}} if features else {}
    curation = {"envelope": {"FEFF": envelope}}
    archives = {"archive": str(archive)}
    values = {"subsets": ["Cu_FEFF"], "simulations": archives, "curation": curation, **models, **values}
    write_config(directory, **values)


def write_run_config(directory: Path, *subsets: str, simulations: dict | None = None, **values) -> None:
    """The same for subsets that are computed in one chunk, of the structures in the folder `mine` or of other ones."""
    values = {"chunks": 1, "structures": {"source": "directory", "directory": "mine"}, **values}
    write_config(directory, subsets=list(subsets), simulations={"source": "run", **(simulations or {})}, **values)


def write_finished_config(directory: Path, runs: Path) -> None:
    """The configuration of the campaign that ran to its end (fixture `finished`)."""
    write_import_config(directory, runs, "chgnet", models={**QUICK, "seeds": [0, 1]})


def command(directory: Path, *arguments: str) -> list[str]:
    """The call, `arguments` before the config file: --configfile takes all words after it.

    Each job has one thread, as worker processes import all libraries anew, which takes longer than these small jobs.
    """
    where = ["--directory", str(directory), "--configfile", str(directory / "campaign.yaml")]
    return [*SNAKEMAKE, "--max-threads", "1", *arguments, *where]


def start(directory: Path, *arguments: str, fork_scripts: bool = True) -> forked_snakemake.Started:
    """Start the workflow in a process group of its own, to which its scripts belong, forked or not (see `run`)."""
    return forked_snakemake.Started(
        command(directory, *arguments)[len(CALL) :],
        folder=directory,
        fork_scripts=fork_scripts,
    )


def run(directory: Path, *arguments: str, good: bool = True, fork_scripts: bool = True) -> str:
    """Run the workflow to its end and give what it printed.

    Args:
        directory: with campaign.yaml.
        arguments: of Snakemake.
        good: whether it must end well.
        fork_scripts: whether scripts are forked (forked_scripts.py), or started anew, which takes far longer: where a
            library reads the environment when it is imported.
    """
    words = command(directory, *arguments)[len(CALL) :]
    code, printed = forked_snakemake.call(words, folder=directory, seconds=600, fork_scripts=fork_scripts)
    assert (code == 0) == good, printed[-6000:]
    return printed


def take_over(finished: Path, directory: Path, *stages: str) -> None:
    """Put the results of some stages of another campaign into a directory, where they need not be made again."""
    for stage in stages:
        shutil.copytree(finished / "results" / stage, directory / "results" / stage)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an HDF5 file by their name, without attributes (those tell when it was made)."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def assert_same_arrays(one: Path, other: Path) -> None:
    """Two HDF5 files hold the same arrays, bit by bit."""
    first, second = arrays(one), arrays(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert np.array_equal(value, second[name]), name
