"""Profiles say what is meant however they are named; installing one asks nothing that the cluster can tell."""

import os
import re
import sys

import pytest
import yaml
from command_line import answer
from shared_data import PROJECT

SINFO = "short*|up|12:00:00|(null)\nlong|up|infinite|(null)\nlong|up|infinite|gpu:a100:4\nold|down|infinite|(null)"
CONFIG = "AccountingStorageType   = accounting_storage/{storage}\nMinJobAge               = {age} sec"


def settings(monkeypatch, *arguments):
    """What Snakemake makes of a call beside the Snakefile."""
    from snakemake.cli import parse_args  # heavy

    monkeypatch.chdir(PROJECT)
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    monkeypatch.setattr(sys, "argv", ["snakemake", *arguments])
    return parse_args(list(arguments))[1]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A login node whose commands say what the test says; a call of `xanesflow profile install slurm` on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("snakemake.common.APPDIRS", None)

    def write(program, script):
        (folder / program).write_text(f"#!/bin/sh\n{script}\n")
        (folder / program).chmod(0o755)

    def say(program, text):
        write(program, f"while read -r line; do echo \"$line\"; done <<'END'\n{text}\nEND")

    def install(*arguments):
        code, printed = answer("profile", "install", "slurm", *arguments, columns=120)
        path = tmp_path / "config/snakemake/slurm/config.yaml"
        profile = yaml.safe_load(path.read_text()) if path.exists() else None
        return code, printed, profile

    say("sinfo", SINFO)
    say("scontrol", CONFIG.format(storage="slurmdbd", age=300))
    write("sacctmgr", 'case "$*" in *associations*) echo chem; echo phys;; *defaultaccount*) echo phys;; esac')
    install.say = say
    return install


def test_without_a_profile_this_machine_is_used_whole(monkeypatch):
    found = settings(monkeypatch)
    assert found.cores == len(os.sched_getaffinity(0)) and found.executor in (None, "local")
    assert found.latency_wait == 10 and found.nolock and found.rerun_incomplete and found.keep_going


@pytest.mark.parametrize("how", ["--profile=profiles/slurm", "--workflow-profile=slurm"])
def test_the_cluster_profile_is_not_overridden_by_the_default_one(monkeypatch, how):
    """`cores: all` of the default one would limit the threads of each job to the cores of the login node."""
    found = settings(monkeypatch, how)
    assert found.executor == "slurm" and found.jobs == 100 and found.cores is None
    assert found.latency_wait == 60 and found.retries == 2
    assert found.nolock and found.rerun_incomplete and found.keep_going and found.show_failed_logs


def test_a_cores_option_still_counts_with_the_default_profile(monkeypatch):
    assert settings(monkeypatch, "--cores", "1").cores == 1


def test_every_rule_that_the_cluster_profile_names_is_there():
    profile = yaml.safe_load((PROJECT / "profiles/slurm/config.yaml").read_text())
    rules = "\n".join(path.read_text() for path in (PROJECT / "rules").glob("*.smk"))
    named = [entry.split("=")[0] for entry in (*profile["set-threads"], *profile["groups"])]
    assert named and all(f"rule {name}:" in rules for name in named)


def test_set_resources_leave_a_chunk_the_number_of_its_attempts(monkeypatch):
    """Without it, what was killed for want of memory counts as failed at once."""
    more = ("--set-resources", "simulate_chunk:mem_mb=16000")
    found = settings(monkeypatch, "--workflow-profile=slurm", *more)
    assert f"attempts={1 + found.retries}" in found.default_resources.args
    (of_pbs,) = re.findall("```yaml\n(.*?)```", (PROJECT / "profiles/README.md").read_text(), re.DOTALL)
    profile = yaml.safe_load(of_pbs)
    assert profile["default-resources"]["attempts"] == 1 + profile["retries"]
    # The rule's own number, or another one of the profile's for it, would come before the default one.
    assert "attempts=" not in (PROJECT / "rules/simulations.smk").read_text()
    assert set(found.set_resources["simulate_chunk"]) == {"mem_mb"}


def test_installing_takes_partition_account_and_accounting_from_the_cluster(cluster):
    code, printed, profile = cluster()
    assert code == 0
    assert profile["default-resources"]["slurm_partition"] == "short"
    assert profile["default-resources"]["slurm_account"] == "phys"
    assert profile["slurm-status-command"] == "sacct"
    assert "Partition: short; account: phys." in printed
    assert "Partition short ends jobs after 12 h: add simulations: {longest_job: 12} to your config" in printed
    assert "snakemake --profile slurm" in printed
    assert cluster()[0] == 0  # the same again is no harm


def test_what_is_chosen_must_be_there(cluster):
    code, printed, _ = cluster("--partition", "fast")
    assert code == 2 and "This cluster has no partition fast that is up; it has short, long." in printed
    code, printed, _ = cluster("--account", "bio")
    assert code == 2 and "You cannot charge account bio here; yours are chem, phys." in printed
    code, _, profile = cluster("--partition", "long", "--account", "chem")
    assert code == 0 and profile["default-resources"]["slurm_partition"] == "long"
    assert profile["default-resources"]["slurm_account"] == "chem"


def test_another_profile_of_that_name_is_not_overwritten_unless_told(cluster, tmp_path):
    cluster()
    code, printed, profile = cluster("--partition", "long")
    assert code == 1 and "is there already and differs" in printed and "--force" in printed
    assert profile["default-resources"]["slurm_partition"] == "short"
    code, _, profile = cluster("--partition", "long", "--force")
    assert code == 0 and profile["default-resources"]["slurm_partition"] == "long"


def test_a_cluster_without_accounts_is_asked_by_squeue(cluster):
    cluster.say("scontrol", CONFIG.format(storage="none", age=60))
    code, printed, profile = cluster()
    assert code == 0 and profile["slurm-status-command"] == "squeue"
    assert "slurm_account" not in profile["default-resources"]
    assert "forgets a job 60 s after its end" in printed
    code, printed, _ = cluster("--account", "chem")
    assert code == 2 and "keeps no accounts" in printed


def test_a_cluster_without_a_default_partition_wants_a_choice(cluster):
    cluster.say("sinfo", SINFO.replace("*", ""))
    code, printed, _ = cluster()
    assert code == 2 and "no default partition; choose one with --partition: short, long." in printed


def test_where_slurm_is_not_there_the_profile_is_written_unchecked_and_that_is_told(cluster, tmp_path):
    (tmp_path / "bin/sinfo").unlink()
    code, printed, profile = cluster("--partition", "any")
    assert code == 0 and profile["default-resources"]["slurm_partition"] == "any"
    assert "(sinfo) are missing or do not answer, so nothing was checked" in printed


def test_a_partition_with_gpus_is_named_where_it_could_be_used(cluster, tmp_path):
    cluster()
    text = (tmp_path / "config/snakemake/slurm/config.yaml").read_text()
    assert "#   train_expert: {slurm_partition: long, gpu: 1}" in text
