"""What every rule and script keeps to."""

import re

import pytest
from shared_data import PROJECT, tracked_files

RULES = [
    (path.name, rule)
    for path in sorted((PROJECT / "rules").glob("*.smk"))
    for rule in re.split(r"^ *(?=rule\b)", path.read_text(), flags=re.MULTILINE)[1:]
    if "script:" in rule
]


@pytest.mark.parametrize(("file", "rule"), RULES)
def test_a_rule_tells_all_that_a_scheduler_and_a_reader_want(file, rule):
    for directive in ("input", "output", "log", "benchmark", "threads", "resources", "message", "conda", "script"):
        assert re.search(rf"^ +{directive}:", rule, re.MULTILINE), f"{file}: {rule[:40]} has no {directive}"
    script = re.search(r'script:\s+"\.\./workflow_scripts/(\w+)\.py"', rule)[1]
    assert (PROJECT / f"workflow_scripts/{script}.py").exists()
    assert re.match(rf"rule {script}:", rule) or f'f"{script}_{{SUBSET}}"' in rule


def test_every_script_belongs_to_a_rule_and_is_thin():
    named = {re.search(r"workflow_scripts/(\w+)\.py", rule)[1] for _, rule in RULES}
    scripts = {path.stem: path for path in (PROJECT / "workflow_scripts").glob("*.py")}
    assert scripts.keys() == named
    for path in scripts.values():
        assert len(path.read_text().splitlines()) <= 45


def test_rules_decide_no_path_below_results_themselves():
    """`xanesflow.config.result_paths` has them all, for the library too."""
    for path in (PROJECT / "rules").glob("*.smk"):
        assert not re.search(r"[\"']results/", path.read_text()), path.name
    assert len((PROJECT / "rules/common.smk").read_text().splitlines()) <= 120


def test_no_file_is_longer_than_a_reader_bears():
    for path in tracked_files():
        if path.name.endswith((".py", ".smk", "Snakefile")):
            assert len(path.read_text().splitlines()) <= 400, path


def test_what_the_readme_calls_is_there_for_who_clones():
    readme = (PROJECT / "README.md").read_text()
    named = set(re.findall(r"--configfile (\S+)", readme)) | set(re.findall(r"\]\(((?!http|#)[^)]+)\)", readme))
    assert "campaigns/cu_archive.yaml" in named
    for name in named:
        assert PROJECT / name in tracked_files(), f"{name} is not in the repository"
    targets = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", readme, re.MULTILINE):
        assert f"\n{target}:" in targets
