"""The package as people install it: a wheel, not editable, the source tree out of sight, the workflow a module."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import h5py
import pytest
import yaml
from shared_data import PROJECT

QUICK = "{scf_radius: 2.6, scf_iterations: 1, fms_radius: 3.0, single_radius: 3.0, l_max: 2}"
TWO = (
    "--config", "subsets=[Cu_FEFF8L]", "structures={only: [cu-fcc, cu2o-cuprite]}", f"simulations={{feff8l: {QUICK}}}",
)  # fmt: skip
FIGURE = "results/report/figures/curation_Cu_FEFF8L.svg"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment with the wheel, and with all packages of this one but the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    environment, wheels = folder / "venv", folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    call(folder, *pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", wheels, PROJECT)
    call(folder, sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin/python"
    packages = call(folder, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # Python reads no .pth file in a folder that is named by one, so the editable installation does not come along.
    Path(packages, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = wheels.glob("*.whl")
    # As the other packages are seen, pip would take the editable installation for this one.
    call(folder, *pip, "--python", python, "install", "--no-deps", "--no-index", "--ignore-installed", wheel)
    return python


@pytest.fixture(scope="module")
def workflow_folder(python, tmp_path_factory):
    """Where the installed package has its workflow."""
    code = "from xanesflow.core.source_tree import workflow_folder; print(workflow_folder())"
    return Path(call(tmp_path_factory.mktemp("folder"), python, "-c", code).strip())


@pytest.fixture(scope="module")
def campaign(python, tmp_path_factory):
    """A campaign of `xanesflow init`, run up to the spectra of two structures and their figure."""
    folder = tmp_path_factory.mktemp("campaigns") / "mine"
    said = call(folder.parent, python.with_name("xanesflow"), "init", folder)
    assert "config.yaml, Snakefile, profiles/default/config.yaml" in said
    call(folder, python, "-m", "snakemake", "spectra", FIGURE, *TWO)
    return folder


def call(folder, *words, good=True):
    """Call a program in a folder and give what it printed; nothing of this process's own path comes along."""
    variables = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "SNAKEMAKE_PROFILE"}}
    done = subprocess.run(
        [os.fspath(word) for word in words], cwd=folder, env=variables, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=600, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == good, done.stdout[-6000:]
    return done.stdout


def test_the_library_is_the_installed_one(python, workflow_folder, tmp_path):
    code = "import sys, xanesflow; print(xanesflow.__file__, *sys.path, sep='\\n')"
    library, *path = call(tmp_path, python, "-c", code).splitlines()
    assert Path(library).is_relative_to(python.parents[1])
    assert str(PROJECT / "workflow_scripts") not in path
    assert workflow_folder == Path(library).resolve().parent / "workflow"


def test_all_that_the_rules_name_is_in_the_wheel(workflow_folder):
    named = set()
    for path in [workflow_folder / "Snakefile", *(workflow_folder / "rules").glob("*.smk")]:
        for name in re.findall(r'"([\w./-]+\.(?:py|rst|smk|yaml))"', path.read_text()):
            assert (path.parent / name).is_file(), f"{path.name} names {name}"
            named.add((path.parent / name).resolve())
    assert {path.name for path in workflow_folder.glob("workflow_scripts/*.py")} <= {path.name for path in named}
    installed = [path for path in workflow_folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {workflow_folder / "profiles/slurm/config.yaml", workflow_folder / "campaigns/demo.yaml"} <= {*installed}
    for path in installed:
        assert path.read_bytes() == (PROJECT / path.relative_to(workflow_folder)).read_bytes()


def test_the_written_campaign_plans_up_to_the_report(campaign, python):
    planned = call(campaign, python, "-m", "snakemake", "--dry-run")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned, re.MULTILINE))
    assert jobs["make_report"] == jobs["train_universal"] == "1"
    assert jobs["collect_structures"] == "2"  # of more than the two structures


def test_spectra_come_out(campaign, workflow_folder):
    with h5py.File(campaign / "results/spectra/Cu_FEFF8L.h5") as file:
        assert file["spectra"].shape == (2, 141)
        assert abs(file["energy"][0] - 8979) < 40
    assert not list(workflow_folder.glob(".snakemake"))


def test_a_second_call_has_nothing_to_do_until_the_library_of_examples_changes(campaign, python, workflow_folder):
    def planned():
        return call(campaign, python, "-m", "snakemake", "--dry-run", "spectra", *TWO)

    assert "Nothing to be done" in planned()
    changed = workflow_folder.parent / "structures/examples/cuprates.yaml"
    before = changed.read_bytes()
    changed.write_bytes(before + b"# changed\n")
    try:
        found = planned()
    finally:
        changed.write_bytes(before)
    assert re.search(r"^collect_structures +1$", found, re.MULTILINE)


def test_defaults_are_merged_as_in_a_checkout(campaign, workflow_folder):
    """`envelope: {FEFF8L: null}` leaves the other entries of the default configuration as they are."""
    defaults = yaml.safe_load((workflow_folder / "config.yaml").read_text())
    with h5py.File(campaign / "results/spectra/Cu_FEFF8L.h5") as file:
        recorded = yaml.safe_load(file.attrs["config"])
    assert recorded["curation"]["envelope"] == defaults["curation"]["envelope"] | {"FEFF8L": None}
    assert recorded["structures"]["only"] == ["cu-fcc", "cu2o-cuprite"]


def test_the_cluster_profile_comes_from_the_package(python, tmp_path):
    variables = {"XDG_CONFIG_HOME": str(tmp_path), "PATH": str(tmp_path)}
    words = [python.with_name("xanesflow"), "profile", "install", "slurm"]
    done = subprocess.run(words, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "snakemake/slurm/config.yaml").is_file()
