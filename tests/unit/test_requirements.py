"""One environment, told in two ways: for pip and for conda."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from shared_data import PROJECT

from xanesflow.codes.lightshow_bridge import INSTALL


def pins(name):
    lines = (PROJECT / name).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_pip_and_conda_have_the_same_pins():
    conda = yaml.safe_load((PROJECT / "envs/xanesflow.yaml").read_text())
    assert next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)) == pins("requirements.txt")
    (lightshow,) = pins("requirements-lightshow.txt")
    assert f"pip install --no-deps {lightshow}\n" in (PROJECT / "envs/xanesflow.post-deploy.sh").read_text()


def test_every_package_is_pinned_once_and_no_address_is_named():
    names = []
    for file in ("requirements.txt", "requirements-dev.txt", "requirements-lightshow.txt"):
        for pin in pins(file):
            assert re.fullmatch(r'[A-Za-z0-9._-]+==[A-Za-z0-9.]+(; platform_machine == "x86_64")?', pin), (
                f"{file}: {pin}"
            )
            names.append(pin.split("==")[0].lower().replace("_", "-"))
        assert "://" not in (PROJECT / file).read_text()
    assert len(set(names)) == len(names)
    assert "lightshow" not in {pin.split("==")[0] for pin in pins("requirements.txt")}


def dependencies():
    """The direct dependencies of pyproject.toml and its extras, by their normal name."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = [each for names in project["optional-dependencies"].values() for each in names]
    found = [Requirement(each) for each in (*project["dependencies"], *extras)]
    return {canonicalize_name(each.name): each for each in found}


@cache
def distributions():
    """Module -> names of the packages that have it."""
    return {m: {canonicalize_name(name) for name in names} for m, names in packages_distributions().items()}


@cache
def imported():
    """Every package that library and scripts import, or look for by a name that stands in the call."""
    found = {}
    for path in (PROJECT / "workflow_scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("find_spec", "import_module")):
                names = [each.value for each in node.args[:1] if isinstance(each, ast.Constant)]
            for name in names:
                found.setdefault(name.split(".")[0], path.relative_to(PROJECT).as_posix())
    return {name: path for name, path in found.items() if name not in {*sys.stdlib_module_names, "xanesflow"}}


def test_every_dependency_is_pinned_to_a_release_that_it_allows():
    pinned = {
        canonicalize_name(pin.split("==")[0]): pin.split("==")[1].split(";")[0] for pin in pins("requirements.txt")
    }
    for name, requirement in dependencies().items():
        assert [each.operator for each in requirement.specifier] == [">="], requirement
        assert requirement.specifier.contains(pinned[name]), f"{requirement}, and requirements.txt has {pinned[name]}"


def test_every_import_of_the_library_is_a_dependency():
    for module, path in imported().items():
        of = distributions()[module]
        assert of & dependencies().keys(), f"{path} imports {module} of {', '.join(of)}, which pyproject.toml lacks"


def test_every_dependency_is_imported_by_the_library_or_by_what_it_runs():
    of = {name for module in imported() for name in distributions()[module]}
    # Snakemake finds its plugin by itself, FEFF is run as a module, and Lightshow, installed without its dependencies,
    # needs tqdm.
    assert dependencies().keys() - of == {"snakemake-executor-plugin-slurm", "feff10-rs", "tqdm"}


def test_the_command_for_lightshow_has_its_pin():
    (lightshow,) = pins("requirements-lightshow.txt")
    assert f"pip install --no-deps {lightshow}" == INSTALL


def test_what_lightshow_needs_is_there_without_its_own_metadata():
    needs = [Requirement(each) for each in requires("lightshow")]
    names = {canonicalize_name(each.name) for each in needs if not each.marker} - {"pydantic-core"}  # of pydantic
    assert names <= dependencies().keys()
