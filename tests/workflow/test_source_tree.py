"""What the source tree keeps to: it is formatted, fits any machine, and no run writes into it."""

import re
import subprocess

import pytest
from shared_data import PROJECT
from workflow import run, write_config


@pytest.fixture(scope="module")
def tracked():
    """Files that git knows, as far as they are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False).stdout
    if not listed:
        pytest.skip("not a git checkout")
    return [path for name in listed.split("\0") if name and (path := PROJECT / name).is_file()]


def test_no_file_names_a_place_of_one_machine(tracked):
    somebody = re.compile(r"(?<![\w.])/(?:" + "|".join(["home", "Users", "root", "mnt", "scratch", "work"]) + r")/\w")
    found = [
        f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:80]}"
        for path in tracked
        if path.suffix in {".py", ".smk", ".yaml", ".toml", ".md", ".txt", ".rst", ".cff", ""}
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if somebody.search(line)
    ]
    assert not found


def test_nothing_that_a_run_makes_is_tracked(tracked):
    made = [path for path in tracked if {"results", ".snakemake"} & set(path.relative_to(PROJECT).parts)]
    assert not made


def test_snakemakes_linter_finds_nothing_in_a_campaign_of_ones_own(tmp_path, runs):
    write_config(
        tmp_path,
        subsets=["Cu_FEFF", "Ti_VASP"],
        chunks={"Cu_FEFF": 2, "Ti_VASP": 3},
        simulations={"archive": {"Cu_FEFF": str(runs), "Ti_VASP": "later"}},
        features={"models": ["m3gnet_all+chgnet"]},
    )
    run(tmp_path, "--lint")


def test_a_run_writes_nothing_into_the_source_tree(tmp_path, runs):
    """Seen from a directory that is neither the project nor the one that is worked in."""
    before = {path for name in ("results", ".snakemake") for path in (PROJECT / name).rglob("*")}
    write_config(tmp_path / "campaign", subsets=["Cu_FEFF"], simulations={"archive": str(runs)})
    run(tmp_path / "campaign", "structures")
    assert (tmp_path / "campaign/results/structures/Cu_FEFF.parquet").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["campaign"]
    assert {path for name in ("results", ".snakemake") for path in (PROJECT / name).rglob("*")} <= before
