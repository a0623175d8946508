"""The page on limits has those of the code, and texts meet theirs."""

import re
from pathlib import Path

import pytest

from xanesflow.core import limits
from xanesflow.core.errors import BadTextError
from xanesflow.core.foreign_json import parse_json, parse_object
from xanesflow.core.foreign_yaml import parse_yaml

PAGE = Path(__file__).parents[2] / "docs/reference/limits.md"
UNITS = {"": 1, "MB": 10**6, "MiB": 2**20, "GiB": 2**30}


def test_the_page_has_every_limit():
    rows = re.findall(r"\| ([\d,]+) ?(\w*) \| `(\w+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: int(number.replace(",", "")) * UNITS[unit] for number, unit, name in rows}
    assert told == {name: value for name, value in vars(limits).items() if name.isupper()}


def test_depth_counts_brackets_outside_of_texts():
    assert parse_json("[" * 100 + "]" * 100)
    assert parse_json('["' + "[" * 1000 + '"]') == ["[" * 1000]
    assert parse_json(r'{"a\"[": "\\"}') == {'a"[': "\\"}
    for text in ("[" * 101 + "]" * 101, '{"a":' * 101 + "1" + "}" * 101, '["]",' * 2000, "[" * 10**6):
        with pytest.raises(BadTextError, match=r"is nested too deep|is no JSON"):
            parse_json(text)
    for text, said in (("", "no JSON"), ("9" * 5000, "number that is too long"), (b"\xff", "not UTF-8")):
        with pytest.raises(BadTextError, match=said):
            parse_json(text)
    with pytest.raises(BadTextError, match="no JSON object"):
        parse_object("[1]")


def test_anchors_of_yaml_count_each_time():
    assert parse_yaml("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}
    laughs = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    for text, said in (
        (laughs, "more than 200,000 values"),
        ("a: &a [*a]\n", "nested too deep"),
        ("- " * 5000 + "1", "nested too deep"),
        ("a: [1", "is no YAML"),
        ("a: 2001-99-99", "a date"),
    ):
        with pytest.raises(BadTextError, match=said):
            parse_yaml(text)
