"""Runs a site as a job in its own folder: reads site.json; writes xmu.dat, result.json, feff.inp and a log.

`python -m xanesflow.codes.feff8l run` runs the job of the current folder. You can therefore repeat a run of the
workflow by hand: unpack its zip and call this command there.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.feff8l.write_inputs import Feff8lCluster
from xanesflow.codes.feff8l.xanes import compute_cluster, write_result
from xanesflow.core.damage import explain_damage

if TYPE_CHECKING:
    from pymatgen.core import Structure

JOB = "site.json"

_KEPT = {JOB, "feff.inp", "feff.out", "xmu.dat", "result.json"}


def write_job(folder: Path, structure: Structure, site_index: int, settings: EngineSettings) -> None:
    """Write site.json: the cluster around the absorber and the settings.

    Args:
        folder: of the job; it must exist.
        structure: an ordered structure.
        site_index: 0-based index of the absorber.
        settings: of the engine.

    Raises:
        XanesflowError: the site cannot be computed, for example because two atoms are too close.
    """
    from xanesflow.codes.feff8l.cluster import cut_cluster  # imports pymatgen, which running the job does not need

    cluster = cut_cluster(structure, site_index)
    job = {"site_index": site_index, "settings": settings.as_dict(), "cluster": cluster.as_dict()}
    (folder / JOB).write_text(json.dumps(job, sort_keys=True), encoding="utf-8")


def read_job(folder: Path) -> tuple[Feff8lCluster, EngineSettings]:
    """Read site.json.

    Raises:
        XanesflowError: it is missing or was not written by `write_job`.
    """
    path = folder / JOB
    with explain_damage(f"{path} cannot be read as a job of the engine: {{why}}", quote=True):
        job: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Feff8lCluster.from_dict(job["cluster"]), EngineSettings.from_dict(job["settings"])


def run_job(folder: Path) -> None:
    """Run the job of a folder, then remove what the programs left besides the result.

    Raises:
        XanesflowError: the job gave no spectrum; the message says why.
    """
    cluster, settings = read_job(folder)
    for old in ("xmu.dat", "result.json"):
        (folder / old).unlink(missing_ok=True)

    def log(message: str) -> None:
        print(message, flush=True)  # noqa: T201  the job's log is its standard output

    try:
        result = compute_cluster(cluster, settings, folder, log)
        write_result(folder, result, cluster)
        log(f"done in {result.record['seconds']:.1f} s, Fermi level {result.record['fermi_ev']:.3f} eV")
    finally:
        for entry in os.scandir(folder):
            if entry.is_file(follow_symlinks=False) and entry.name not in _KEPT:
                Path(entry.path).unlink()
