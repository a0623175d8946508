"""`xanesflow profile install slurm`: writes the profile with a cluster's values, where Snakemake finds it by name.

The values come from the cluster itself: partitions and their limits (sinfo), accounts (sacctmgr), and whether it keeps
accounts at all (scontrol).
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xanesflow.config.simulations import SimulationsSection
from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.source_tree import workflow_file
from xanesflow.running import slurm

_LOOKS = 180  # seconds, the longest time after which the executor checks its jobs again


@dataclass(frozen=True)
class Partition:
    """A partition of a cluster."""

    name: str  # of the partition
    default: bool  # whether jobs that name no partition go there
    hours: float | None  # time limit of a job; None: no limit
    gpu: bool  # whether it has GPUs


@dataclass(frozen=True)
class SlurmCluster:
    """What a cluster reports about itself."""

    partitions: tuple[Partition, ...]  # those that are up
    accounting: bool  # whether it keeps accounts, so that sacct and sacctmgr answer
    accounts: tuple[str, ...]  # those that this user may charge
    default_account: str | None  # of this user
    remembers: int | None  # seconds for which squeue lists a job after its end


def install_slurm(folder: Path, *, partition: str | None, account: str | None, force: bool) -> tuple[Path, list[str]]:
    """Write the profile for Slurm.

    Args:
        folder: Snakemake's folder of the user's profiles.
        partition: for all jobs; None: the cluster's default.
        account: to charge; None: the user's default.
        force: replace another profile with this name.

    Returns:
        The file, and sentences on its content and on what to check.

    Raises:
        XanesflowError: the cluster has no such partition or account or no default, or another profile exists.
    """
    # Check the choices, if the cluster answers.
    cluster = ask_cluster()
    remarks: list[str] = []
    if cluster is None:
        remarks.append(
            "Slurm's commands (sinfo) are missing or do not answer, so nothing was checked; call this again on the "
            "login node, with --force, or check the file."
        )
        chosen = None
    else:
        chosen = _choose_partition(cluster, partition)
        account = _choose_account(cluster, account)
        partition = chosen.name

    # Another profile, perhaps edited by hand, is only replaced on request.
    template = workflow_file("profiles/slurm/config.yaml").read_text(encoding="utf-8")
    text = fill_profile(template, partition=partition, account=account, cluster=cluster)
    path = folder / "slurm" / "config.yaml"
    there = path.read_text(encoding="utf-8") if path.exists() else None
    if there not in (None, text) and not force:
        raise XanesflowError(f"{path} is there already and differs: check it, and replace it with --force.")
    write_text(path, text)

    # Say what was chosen, and warn of limits that would stop jobs or hide their end.
    none_kept = cluster is not None and not cluster.accounting
    charged = "none, as the cluster keeps none" if none_kept else account or "your default one"
    remarks.insert(0, f"Partition: {partition or 'as the cluster chooses'}; account: {charged}.")
    if chosen and chosen.hours is not None and chosen.hours < SimulationsSection().longest_job:
        remarks.append(
            f"Partition {chosen.name} ends jobs after {chosen.hours:g} h: add simulations: {{longest_job: "
            f"{chosen.hours:g}}} to your configuration."
        )
    if cluster and not cluster.accounting and (cluster.remembers or _LOOKS) < _LOOKS:
        remarks.append(
            f"This cluster keeps no accounts and forgets a job {cluster.remembers} s after its end (MinJobAge), but "
            f"Snakemake may check {_LOOKS} s later: ask its administrators for a longer MinJobAge."
        )
    return path, remarks


def fill_profile(text: str, *, partition: str | None, account: str | None, cluster: SlurmCluster | None) -> str:
    """Put a cluster's values into the profile, and keep its comments."""
    for key, value in (("slurm_partition", partition), ("slurm_account", account)):
        if value is not None:
            text = _replaced(rf"^  # {key}: .*$", f"  {key}: {value}", text)
    if cluster is not None and not cluster.accounting:
        text = _replaced(r"^slurm-status-command: sacct$", "slurm-status-command: squeue", text)
    gpus = [each.name for each in cluster.partitions if each.gpu] if cluster else []
    if gpus:
        text = text.replace("{slurm_partition: gpu, gpu: 1}", f"{{slurm_partition: {gpus[0]}, gpu: 1}}")
    return text


def ask_cluster() -> SlurmCluster | None:
    """Ask the cluster about itself; None if there is no cluster."""
    code, said, _ = slurm.ask("sinfo", "--noheader", "--format", "%P|%a|%l|%G")
    if code != 0 or not said:
        return None
    found: dict[str, Partition] = {}
    for line in said.splitlines():
        name, up, limit, gres = [part.strip() for part in line.split("|")][:4]
        if up != "up":
            continue
        seconds = slurm.seconds_of(limit)
        each = Partition(
            name.rstrip("*"), name.endswith("*"), None if seconds is None else seconds / 3600, "gpu" in gres.lower()
        )
        gpu = each.gpu or (each.name in found and found[each.name].gpu)  # a line for each kind of node
        found[each.name] = replace(each, gpu=gpu)
    _, config, _ = slurm.ask("scontrol", "show", "config")
    storage = re.search(r"^AccountingStorageType\s*=\s*(\S+)", config, re.MULTILINE)
    age = re.search(r"^MinJobAge\s*=\s*(\d+)", config, re.MULTILINE)
    accounting = storage is not None and not storage[1].endswith("none")
    accounts, default = _accounts() if accounting else ((), None)
    return SlurmCluster(tuple(found.values()), accounting, accounts, default, int(age[1]) if age else None)


def _accounts() -> tuple[tuple[str, ...], str | None]:
    user = getpass.getuser()
    query = ("--noheader", "--parsable2", "show")
    _, said, _ = slurm.ask("sacctmgr", *query, "associations", f"user={user}", "format=account")
    accounts = tuple(dict.fromkeys(line.strip() for line in said.splitlines() if line.strip()))
    _, said, _ = slurm.ask("sacctmgr", *query, "user", user, "format=defaultaccount")
    return accounts, said.splitlines()[0].strip() or None if said else None


def _choose_partition(cluster: SlurmCluster, wanted: str | None) -> Partition:
    by_name = {each.name: each for each in cluster.partitions}
    known = _listed(list(by_name))
    if wanted is not None:
        if wanted not in by_name:
            raise WrongCallError(f"This cluster has no partition {wanted} that is up; it has {known}.")
        return by_name[wanted]
    chosen = [each for each in cluster.partitions if each.default] or list(cluster.partitions)
    if len(chosen) != 1:
        raise WrongCallError(f"This cluster has no default partition; choose one with --partition: {known}.")
    return chosen[0]


def _choose_account(cluster: SlurmCluster, wanted: str | None) -> str | None:
    if wanted is None:
        return cluster.default_account
    if not cluster.accounting:
        raise WrongCallError("This cluster keeps no accounts, so none can be charged: leave --account out.")
    if cluster.accounts and wanted not in cluster.accounts:
        raise WrongCallError(f"You cannot charge account {wanted} here; yours are {_listed(cluster.accounts)}.")
    return wanted


def _replaced(pattern: str, line: str, text: str) -> str:
    text, count = re.subn(pattern, lambda _: line, text, count=1, flags=re.MULTILINE)
    if not count:
        raise XanesflowError(
            f"profiles/slurm/config.yaml has no line like '{line}' any more; restore the file from the project."
        )
    return text


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
