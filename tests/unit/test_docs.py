"""The pages: links lead somewhere, every page is found from the index, and what they name is there."""

import ast
import re
from fnmatch import fnmatchcase
from functools import cache

import pytest
import yaml
from shared_data import PROJECT, tracked_files

from xanesflow.config import result_paths
from xanesflow.config.result_paths import fill
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import ADDED_THEORIES
from xanesflow.matching import write_match, write_mix

DOCS = PROJECT / "docs"
LIBRARY = PROJECT / "workflow_scripts/xanesflow"
PAGES = [PROJECT / "README.md", *sorted(DOCS.rglob("*.md")), PROJECT / "profiles/README.md", PROJECT / "CHANGELOG.md"]

README_LINES = 150
PAGE_LINES = 250
GLOSSARY_WORDS = 16

PUBLIC = {"xanesflow.load", "xanesflow.predict", ADDED_THEORIES}

LINK = re.compile(r"\]\(((?!https?:|mailto:)[^)\s]+)\)")


def name_of(path):
    return path.relative_to(PROJECT).as_posix()


@cache
def prose(page):
    """A page without its code blocks, where brackets are no links."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def code_blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@cache
def anchors(page):
    """The anchors of a page's headings, made as GitHub makes them."""
    found = {}
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = found.setdefault(slug, 0)
        found[slug] += 1
        if number:
            found[f"{slug}-{number}"] = 1
    return set(found)


def links(page):
    """Target and anchor of each relative link of a page."""
    for link in LINK.findall(prose(page)):
        target, _, anchor = link.partition("#")
        yield link, (page.parent / target).resolve() if target else page, anchor


def rows_of_first_table(page):
    table = re.search(r"^\|.*?(?=^$)", page.read_text(encoding="utf-8") + "\n", re.DOTALL | re.MULTILINE)[0]
    return table.splitlines()[2:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    for link, target, anchor in links(page):
        assert target.is_file(), f"{link}: there is no {target}"
        assert target.is_relative_to(PROJECT), f"{link} leads out of the repository"
        assert not anchor or anchor in anchors(target), f"{link}: {name_of(target)} has no such heading"


def test_every_file_of_docs_is_found_from_its_index():
    seen, waiting = set(), [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or not page.is_relative_to(DOCS):
            continue
        seen.add(page)
        if page.suffix == ".md":
            waiting += [target for _, target, _ in links(page)]
    assert {path for path in DOCS.rglob("*") if path.is_file()} == seen


def test_every_page_stands_in_the_index():
    named = {target for _, target, _ in links(DOCS / "README.md")}
    assert set(DOCS.rglob("*.md")) - named == {DOCS / "README.md"}


def test_pages_are_short_enough_to_read():
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES
    for page in DOCS.rglob("*.md"):
        assert len(page.read_text(encoding="utf-8").splitlines()) <= PAGE_LINES, name_of(page)


def test_the_glossary_is_short():
    words = rows_of_first_table(DOCS / "reference/glossary.md")
    assert 0 < len(words) <= GLOSSARY_WORDS
    assert all(re.match(r"\| \*\*[^*]+\*\* \| .+ \|$", word) for word in words)


def test_pages_that_code_and_campaigns_name_are_there():
    for path in tracked_files():
        if path.suffix not in {".py", ".smk", ".yaml", ".json", ".md", ".rst", ".toml", ""}:
            continue
        for named in re.findall(r"(?<![\w./])docs/[\w/.-]+\.(?:md|svg|png)", path.read_text(encoding="utf-8")):
            assert (PROJECT / named).is_file(), f"{name_of(path)} names {named}"


def test_scripts_that_pages_name_are_there():
    for page in PAGES:
        for named in re.findall(r"(?:benchmarks|studies|campaigns)/\w+\.(?:py|yaml)", page.read_text(encoding="utf-8")):
            if named != "campaigns/mine.yaml":
                assert (PROJECT / named).is_file(), f"{name_of(page)} names {named}"


@cache
def names_of(module):
    """What a module's own file defines or imports at its top level; nothing is imported, which would take seconds."""
    tree = ast.parse((LIBRARY.parent / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def test_what_examples_import_is_there():
    imported = [
        (page, node.module, alias.name)
        for page in PAGES
        for block in code_blocks(page, "python")
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("xanesflow")
        for alias in node.names
    ]
    assert imported
    for page, module, name in imported:
        package = LIBRARY.parent / module.replace(".", "/")
        module_file = f"{module}.__init__" if package.is_dir() else module
        assert name in names_of(module_file), f"{name_of(page)}: {module} has no {name}"


def is_there(dotted):
    """Whether `xanesflow.room.module`, or `xanesflow.room.module.name`, is in the library."""
    path = LIBRARY.joinpath(*dotted.split(".")[1:])
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    return path.parent.with_suffix(".py").is_file() and path.name in names_of(dotted.rpartition(".")[0])


def test_modules_that_pages_name_are_there():
    for page in PAGES:
        for named in re.findall(r"`(xanesflow(?:\.[a-z_0-9]+)+)", page.read_text(encoding="utf-8")):
            assert named in PUBLIC or is_there(named), f"{name_of(page)} names {named}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_yaml_examples_can_be_read(page):
    for block in code_blocks(page, "yaml"):
        yaml.safe_load(re.sub(r"\.\.\.(?=[,}])", "null", block))


def test_every_result_stands_in_its_page():
    spans = []
    for row in (DOCS / "reference/results.md").read_text(encoding="utf-8").splitlines():
        named = re.findall(r"`([^`]+)`", row.split("|")[1]) if row.startswith("| `") else []
        folder, first = (named[0].rpartition("/")[0], named[0].partition("/")[0]) if named else ("", "")
        spans += [re.sub(r"<\w+>|…", "*", each if each.startswith(first) else f"{folder}/{each}") for each in named]
    for name, pattern in vars(result_paths).items():
        if name.isupper() and isinstance(pattern, str) and pattern.startswith("results/"):
            path = re.sub(r"{\w+}", "X", fill(pattern, seed=0, model="delta")).removeprefix("results/")
            whole = [each + "*" if each.endswith("/") else each for each in spans]
            is_folder = any(fnmatchcase(each.replace("*", "X"), f"{path}/*") for each in spans)
            assert is_folder or any(fnmatchcase(path, each) for each in whole), f"{name}: results.md lacks {pattern}"


def test_every_reason_is_explained():
    explained = [re.match(r"\| `(\w+)` \|", row)[1] for row in rows_of_first_table(DOCS / "reference/rejected.md")]
    assert explained == list(REASONS)


def test_the_keys_that_matter_are_keys():
    config = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    for row in rows_of_first_table(DOCS / "reference/configuration.md"):
        for key in re.findall(r"`([a-z_0-9.]+)`", row.split("|")[1]):
            value = config
            for part in key.split("."):
                assert part in value, f"config.yaml has no {key}"
                value = value[part]


def test_the_plan_of_the_house_names_what_is_there():
    page = (DOCS / "reference/house.md").read_text(encoding="utf-8")
    rooms = [path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()]
    files = re.findall(rf"`((?:{'|'.join(rooms)})/[\w/]+\.py)`", page)
    assert len(files) > 10
    for name in files:
        assert (LIBRARY / name).is_file(), name
    for room in rooms:
        assert re.search(rf"^\| `{room}/` \|", page, re.MULTILINE), f"the page has no room {room}"


@pytest.mark.parametrize("columns", [write_match.COLUMNS, write_mix.COLUMNS])
def test_the_page_on_matching_names_the_columns_of_its_tables(columns):
    assert f"`{','.join(columns)}`" in (DOCS / "guide/matching.md").read_text(encoding="utf-8")
