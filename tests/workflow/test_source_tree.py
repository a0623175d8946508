"""What the source tree keeps to: it is formatted, fits any machine, and no run writes into it."""

import re

import pytest
from shared_data import PROJECT, tracked_files
from workflow import run, write_config


def test_no_file_names_a_place_of_one_machine():
    somebody = re.compile(r"(?<![\w.])/(?:" + "|".join(["home", "Users", "root", "mnt", "scratch", "work"]) + r")/\w")
    found = [
        f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:80]}"
        for path in tracked_files()
        if path.suffix in {".py", ".smk", ".yaml", ".toml", ".md", ".txt", ".rst", ".cff", ""}
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if somebody.search(line)
    ]
    assert not found


def test_nothing_that_a_run_makes_is_tracked():
    made = [path for path in tracked_files() if {"results", ".snakemake"} & set(path.relative_to(PROJECT).parts)]
    assert not made


@pytest.mark.parametrize(
    "campaign",
    [
        {"subsets": ["Cu_FEFF", "Ti_VASP"], "chunks": {"Cu_FEFF": 2, "Ti_VASP": 3},
         "simulations": {"archive": {"Cu_FEFF": "runs", "Ti_VASP": "later"}},
         "features": {"models": ["m3gnet_all+chgnet"]}},
        {"subsets": ["Ni_FEFF8L"], "structures": {"source": "examples"}, "simulations": {"source": "run"}},
    ],
    ids=["imported", "run"],
)  # fmt: skip
def test_snakemakes_linter_finds_nothing(tmp_path, campaign):
    write_config(tmp_path, **campaign)
    assert "good condition" in run(tmp_path, "--lint")


def test_a_run_writes_nothing_into_the_source_tree(tmp_path, runs):
    """Seen from a directory that is neither the project nor the one that is worked in."""
    before = {path for name in ("results", ".snakemake") for path in (PROJECT / name).rglob("*")}
    write_config(tmp_path / "campaign", subsets=["Cu_FEFF"], simulations={"archive": str(runs)})
    run(tmp_path / "campaign", "structures")
    assert (tmp_path / "campaign/results/structures/Cu_FEFF.parquet").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["campaign"]
    assert {path for name in ("results", ".snakemake") for path in (PROJECT / name).rglob("*")} <= before
