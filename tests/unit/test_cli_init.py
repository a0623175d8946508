"""`xanesflow init`: what it writes can be read, says the other ways as they are, and takes the place of nothing."""

import os

import pytest
import yaml
from command_line import call
from shared_data import PROJECT

import xanesflow
from xanesflow.cli.init import TEMPLATES
from xanesflow.config.load import load_config
from xanesflow.core.errors import XanesflowError
from xanesflow.core.source_tree import example_files, workflow_file, workflow_folder

WRITTEN = ["config.yaml", "Snakefile", "profiles/default/config.yaml"]


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def other_ways():
    """The commented ways to start in the written configuration, each as keys."""
    text = (TEMPLATES / "config.yaml").read_text()
    blocks = text.partition("# Other ways to start.")[2].split("\n#\n")[1:]
    return [yaml.safe_load("\n".join(line[2:] for line in block.splitlines()[1:])) for block in blocks]


@pytest.mark.parametrize("name", ["new", "deep/er", "."])
def test_it_writes_three_files_that_name_no_place(tmp_path, monkeypatch, name):
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("init", name)
    assert code == 0 and "snakemake -n" in out
    assert files(tmp_path / name) - {"notes.txt"} == set(WRITTEN)
    for written in WRITTEN:
        assert os.fspath(PROJECT) not in (tmp_path / name / written).read_text()


@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_is_overwritten(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    code, _, err = call("init", tmp_path)
    assert code == 1 and err.count("\n") == 1
    assert f"has {name} already, and nothing is overwritten" in err
    assert files(tmp_path) == {name} and (tmp_path / name).read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    code, _, err = call("init", tmp_path / "file")
    assert code == 2 and "is not a folder" in err


def test_the_written_configuration_and_each_other_way_are_good():
    config = yaml.safe_load((TEMPLATES / "config.yaml").read_text())
    known = {entry["id"] for path in example_files() for entry in yaml.safe_load(path.read_text())}
    assert set(config["structures"]["only"]) <= known
    load_config(config)
    assert len(other_ways()) == 6
    for way in other_ways():
        load_config(config | way)
    assert {way.get("structures", {}).get("source") for way in other_ways()} >= {
        "directory", "materials_project", "archive"
    }  # fmt: skip


def test_the_workflow_of_a_checkout_is_the_checkout():
    assert workflow_folder() == PROJECT.resolve()


def test_the_workflow_of_an_installation_is_in_the_package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages/xanesflow"
    (package / "workflow").mkdir(parents=True)
    monkeypatch.setattr(xanesflow, "__file__", str(package / "__init__.py"))
    with pytest.raises(XanesflowError, match="install xanesflow again"):
        workflow_folder()
    (package / "workflow/Snakefile").touch()
    assert workflow_folder() == (package / "workflow").resolve()
    with pytest.raises(XanesflowError, match=r"config\.yaml is not there"):
        workflow_file("config.yaml")
