"""Texts that make a regular expression backtrack: each repetition in it pumped up, followed by what cannot match."""

from __future__ import annotations

import ast
import importlib
import re
import re._constants as op  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SIGNS = " \n1aA.,-_/='(\"[\\+:*x0e\t#"
"""Signs that are tried where a class of signs is repeated."""

_CALLS = ("compile", "match", "fullmatch", "search", "findall", "finditer", "sub", "split")


def patterns_of(path: Path, module: str) -> Iterator[tuple[int, re.Pattern[Any], Callable[[Any], Any]]]:
    """Line, pattern, and what is done with it (`search`, `match` or `fullmatch`), of all in a module's file."""
    names, source = dict(vars(importlib.import_module(module))), path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.value
        if not (isinstance(called, ast.Name) and called.id == "re" and node.func.attr in _CALLS):
            continue
        given = [*node.args[1:], *(each.value for each in node.keywords)]
        flags = [ast.unparse(each) for each in given if "re." in ast.unparse(each)]
        flag = _value(ast.parse(flags[0]).body[0].value, {"re": re}) if flags else 0  # type: ignore[attr-defined]
        pattern = re.compile(_value(node.args[0], names), flag)
        name = re.match(r"(\w+) = re\.compile", source.split("\n")[node.lineno - 1])
        of_any = re.findall(r"(?<!\bre)\.(fullmatch|match|search|findall|finditer)\(", source)
        unnamed = of_any if node.func.attr == "compile" else [node.func.attr]
        uses = set(re.findall(rf"\b{name[1]}\.(\w+)", source) if name else unnamed)
        plain = next((use for use in ("fullmatch", "match") if uses == {use}), "search")
        yield node.lineno, pattern, getattr(pattern, plain)


def _value(node: ast.AST, names: dict[str, Any]) -> Any:
    """The value of an expression; a part of a text that only a call would know, as {key}, is any word."""
    try:
        return eval(ast.unparse(node), names)
    except Exception:
        if isinstance(node, ast.JoinedStr):
            return "".join(_value(each, names) for each in node.values)
        return "word"


def pumped(pattern: re.Pattern[Any], times: int) -> Iterator[str | bytes]:
    """Texts that begin as the pattern wants, repeat what it repeats, and end otherwise."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else
                        pattern.flags)  # fmt: skip
    for repeat in _repeats(tree):
        for sign in _starts(repeat[1][2], pattern):
            for before in {_before(tree, repeat), ""}:
                for end in ("\0", "\n\0", "!"):
                    text = before + sign * times + end
                    yield text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text


def _repeats(tree: Any) -> Iterator[Any]:
    for item in tree:
        kind, value = item
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT) and value[1] > 50:
            yield item
        for below in _below(kind, value):
            yield from _repeats(below)


def _below(kind: Any, value: Any) -> list[Any]:
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return [value[2]]
    if kind is op.SUBPATTERN:
        return [value[3]]
    if kind is op.BRANCH:
        return list(value[1])
    return [value[1]] if kind in (op.ASSERT, op.ASSERT_NOT) else []


def _starts(tree: Any, pattern: re.Pattern[Any]) -> list[str]:
    """What one repetition may be: each of `SIGNS` that a single class takes, else an example."""
    if len(tree) == 1 and tree[0][0] in (op.IN, op.ANY, op.NOT_LITERAL, op.CATEGORY):
        return [sign for sign in SIGNS if _takes(tree[0], sign)] or [_example(tree)]
    return [_example(tree), *{_example(tree, sign) for sign in " 1a"}]


def _takes(item: Any, sign: str) -> bool:
    kind, value = item
    if kind in (op.ANY, op.LITERAL, op.NOT_LITERAL):
        return sign != "\n" if kind is op.ANY else (chr(value) == sign) == (kind is op.LITERAL)
    if kind is op.RANGE:
        return value[0] <= ord(sign) <= value[1]
    if kind is op.CATEGORY:
        name = str(value).rsplit("_", maxsplit=1)[-1].lower()
        found = {"digit": sign.isdigit(), "space": sign.isspace(), "word": sign.isalnum() or sign == "_"}[name]
        return found != ("NOT" in str(value))
    if kind is op.IN:
        negated = value[0][0] is op.NEGATE
        return negated != any(_takes(each, sign) for each in value if each[0] is not op.NEGATE)
    return False


def _example(tree: Any, wanted: str = "") -> str:
    """A text that a pattern takes, with `wanted` where a class allows it."""
    text = ""
    for kind, value in tree:
        if kind is op.LITERAL:
            text += chr(value)
        elif kind in (op.IN, op.ANY, op.NOT_LITERAL, op.CATEGORY):
            text += next(
                (sign for sign in (*wanted, *"1aA _", *map(chr, range(256))) if _takes((kind, value), sign)), ""
            )
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            lone = value[0] == 0 and value[2][0][0] is op.LITERAL  # as a decimal point that may be missing
            text += "" if lone else _example(value[2], wanted) * max(value[0], 1)
        elif kind is op.SUBPATTERN:
            text += _example(value[3], wanted)
        elif kind is op.BRANCH:
            text += _example(value[1][0], wanted)
    return text


def _before(tree: Any, repeat: Any) -> str:
    """An example of what stands before a repetition."""
    text = ""
    for item in tree:
        if item is repeat:
            return text
        inside = [below for below in _below(*item) if any(each is repeat for each in _repeats(below))]
        if inside:
            return text + _before(inside[0], repeat)
        text += _example([item])
    return text
