"""The house stays in order: which room imports which, no circles, and one name for one thing."""

import ast
import re
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

import xanesflow
from xanesflow.core.sites import THEORIES

LIBRARY = Path(xanesflow.__file__).parent
SOURCE = LIBRARY.parents[1]

ROOMS = (
    *("core", "measured", "running", "codes", "config", "structures", "inputs", "simulations", "spectra", "features"),
    *("dataset", "models", "evaluation", "interpretation", "prediction", "matching", "report", "app", "cli"),
)
"""Each imports only those before it."""

MIRRORED = {"options", "write_inputs", "engine", "read_run", "core_hours", "quick_look", "__init__", "__main__"}
"""Modules that stand in several rooms on purpose, with the same task in each."""

NAMES_THEORIES = ("codes/registry.py", "core/sites.py")
"""Files that name theories, beside those of `codes/<theory>/`."""

MOST_LITERALS = 5
"""Lines elsewhere that name a theory, each with its reason."""


def files():
    return sorted(path for path in LIBRARY.rglob("*.py") if "__pycache__" not in path.parts)


def place(path):
    return path.relative_to(LIBRARY).as_posix()


def module(path):
    parts = ["xanesflow", *path.relative_to(LIBRARY).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports():
    """The library's modules that each module imports, wherever in the file."""
    modules = {module(path): path for path in files()}
    found = {}
    for name, path in modules.items():
        targets = set()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{place(path)}:{node.lineno} imports by dots; write the whole name"
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= {each if each in modules else node.module for each in whole}
        found[name] = targets & set(modules) - {name}
    return found


def room(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else None


def circle(graph):
    """One circle of a graph, as names; empty if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def public_classes():
    found = defaultdict(list)
    for path in files():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(place(path))
    return found


def test_only_the_package_itself_stands_at_the_librarys_root():
    assert {path.name for path in LIBRARY.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}
    folders = {path.name for path in LIBRARY.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(ROOMS)


def test_a_room_imports_only_rooms_before_it():
    wrong = [
        f"{name} imports {target}"
        for name, targets in imports().items()
        for target in sorted(targets)
        if room(name) in ROOMS and room(target) in ROOMS and ROOMS.index(room(target)) > ROOMS.index(room(name))
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_import_each_other_in_no_circle():
    graph = {name: targets - {"xanesflow"} for name, targets in imports().items() if name != "xanesflow"}
    found = circle(graph)
    assert not found, " -> ".join(found)


def test_imports_inside_functions_are_seen():
    assert "xanesflow.prediction.predictor" in imports()["xanesflow"]  # in its __getattr__


def test_no_two_public_classes_have_one_name():
    assert not {name: places for name, places in public_classes().items() if len(places) > 1}


def test_every_exception_stands_in_core_errors():
    bases = {node.name: [ast.unparse(base) for base in node.bases] for path in files() for node in classes(path)}

    def raised(name):
        return name in {"BaseException", "Exception"} or name.endswith(("Error", "Warning", "Exit")) or any(
            raised(base) for base in bases.get(name, ())
        )  # fmt: skip

    strays = {
        f"{place(path)}: {node.name}"
        for path in files()
        for node in classes(path)
        if place(path) != "core/errors.py" and any(raised(ast.unparse(base)) for base in node.bases)
    }
    assert not strays


def classes(path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]


def test_no_two_modules_have_one_name_but_those_that_mirror_each_other():
    sections = set(yaml.safe_load((SOURCE / "config.yaml").read_text(encoding="utf-8")))
    found = defaultdict(list)
    for path in files():
        named_as_section = path.parent == LIBRARY / "config" and path.stem in sections
        if path.stem not in MIRRORED and not named_as_section:
            found[path.stem].append(place(path))
    assert not {name: places for name, places in found.items() if len(places) > 1}


def test_theories_are_named_in_the_registry_and_their_own_rooms():
    """A literal is a string that is a theory's name; of the rules, which are no Python, such a string in quotes."""
    own_rooms = tuple(f"codes/{theory.lower()}/" for theory in THEORIES)
    lines = set()
    for path in files():
        if place(path).startswith(own_rooms) or place(path) in NAMES_THEORIES:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in THEORIES:
                lines.add(f"{place(path)}:{node.lineno}")
    quoted = re.compile("|".join(f"[\"']{theory}[\"']" for theory in THEORIES))
    for path in [*SOURCE.glob("rules/*.smk"), SOURCE / "Snakefile", *LIBRARY.parent.glob("*.py")]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if quoted.search(line):
                lines.add(f"{path.relative_to(SOURCE).as_posix()}:{number}")
    assert len(lines) <= MOST_LITERALS, "\n".join(sorted(lines))
