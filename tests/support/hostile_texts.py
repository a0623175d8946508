"""Text files that no honest program writes: measured spectra, projects, and JSON and YAML nested without end."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Iterator

DEEP = 100_000
"""Brackets in one another, more than any parser's calls may be nested."""

NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "1e308",
    "99999999999999999999",
    "1e-320",
    "***",
    "1,5",
    "1e5e5",
    "",
)
"""What a damaged file has in place of a number."""


def nested(opens: str = "[", closes: str = "]", depth: int = DEEP, inside: str = "1") -> str:
    """Brackets within brackets."""
    return opens * depth + inside + closes * depth


def hostile_json(good: dict) -> Iterator[tuple[str, str]]:
    """Texts in the place of a JSON document: nested deep, of another type, or with values of other types."""
    text = json.dumps(good)
    yield "nested lists", nested()
    yield "nested objects", nested('{"a":', "}")
    yield "an end that is missing", text[: len(text) // 2]
    yield "digits", "9" * 1_000_000
    yield "a number of a million digits", text.replace("1", "1" * 1_000_000, 1)
    yield "many keys", "{" + ",".join(f'"k{n}": {n}' for n in range(200_000)) + "}"
    for name, value in {"list": [], "text": "x", "number": 7, "null": None, "object": {}, "NaN": float("nan")}.items():
        yield f"a {name}", json.dumps(value)
        yield f"a list of {name}", json.dumps([value])
        for key in good:
            yield f"{name} for {key}", json.dumps(good | {key: value})
    for key in good:
        yield f"without {key}", json.dumps({name: value for name, value in good.items() if name != key})
        yield f"nested lists for {key}", json.dumps(good | {key: "@"}).replace('"@"', nested(depth=900))


def damaged_texts(text: str, count: int, seed: int) -> Iterator[str]:
    """Copies of a text with lines swapped, repeated or cut, and numbers replaced."""
    chance = random.Random(seed)
    for _ in range(count):
        lines = text.split("\n")
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(lines))
            kind = chance.randrange(7)
            if kind == 0:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            elif kind == 1:
                del lines[at : at + chance.randint(1, 5)]
            elif kind == 2:
                lines[at:at] = lines[at : at + chance.randint(1, 5)] * chance.randint(1, 3)
            elif kind == 3:
                lines[at] = lines[at][: chance.randint(0, len(lines[at]))]
            elif kind == 4:
                signs = list(lines[at])
                if signs:
                    signs[chance.randrange(len(signs))] = chance.choice("\0\x1b[]{}'\"$%#;_.,é\ud7ff")
                lines[at] = "".join(signs)
            else:
                words = lines[at].split(" ")
                numbers = [k for k, word in enumerate(words) if any(sign.isdigit() for sign in word)]
                if numbers:
                    words[chance.choice(numbers)] = chance.choice(NUMBERS)
                lines[at] = " ".join(words)
            lines = lines or [""]
        yield "\n".join(lines)


def hostile_columns(good: str) -> Iterator[tuple[str, str]]:
    """Columns, XDI headers and Athena projects without end."""
    yield "one line of 5 MB", "1 " * 2_500_000
    yield "a million rows", "\n".join(f"{7000 + n / 1e3} {n % 7}" for n in range(1_000_000))
    yield "ten thousand columns", ("1 " * 10_000 + "\n") * 50
    yield "no numbers", "# only words\n" * 1000
    yield "one energy", "7112 1\n" * 1000
    yield "equal values", "\n".join(f"{7000 + n} 1" for n in range(400))
    yield "zeros", "\n".join(f"{7000 + n} 0" for n in range(400))
    yield "huge values", "\n".join(f"{7000 + n} 1e308" for n in range(400))
    yield "huge energies", "\n".join(f"{n}e300 {n}" for n in range(1, 400))
    yield "a header of 100,000 fields", "# XDI/1.0\n" + "".join(f"# A.b{n}: 1\n" for n in range(100_000)) + good
    yield (
        "columns named without end",
        "# XDI/1.0\n" + "".join(f"# Column.{n}: energy eV\n" for n in range(20_000)) + good,
    )
    yield "a column of number 10^18", "# XDI/1.0\n# Column.999999999999999999: energy\n" + good
    yield "controls", "# XDI/1.0 \x1b[2J\n# Element.symbol: \x1b]0;x\x07\n" + good
    for number in NUMBERS:
        yield (
            f"a spacing of {number}",
            f"# XDI/1.0\n# Mono.d_spacing: {number}\n# Column.1: angle degrees\n# Column.2: mu\n{good}",
        )
        yield f"rows of {number}", good + f"{number} {number}\n" * 200


def hostile_projects(good: str) -> Iterator[tuple[str, str]]:
    """Athena projects, in Perl and JSON."""
    head = good[: good.index("$old_group")] if "$old_group" in good else good[:200]
    columns = f'"x": {[*range(7000, 7400)]}, "y": {[*range(400)]}'
    mark = '{"_____header1": "# Athena project file", '
    yield (
        "lists within lists",
        f"{head}$old_group = 'abcde';\n@args = {nested('(', ')')};\n@x = (1,2);\n@y = (1,2);\n[record]\n",
    )
    yield "an open list", f"{head}$old_group = 'abcde';\n@args = (" + "(" * 100_000 + "\n"
    yield "a text without end", f"{head}$old_group = 'abcde';\n@args = ('" + "\\'" * 500_000 + ";\n[record]\n"
    yield (
        "100,000 groups",
        head + "$old_group = 'abcde';\n@args = ('label','a');\n@x = (1,2);\n@y = (1,2);\n[record]\n" * 50_000,
    )
    yield (
        "a group of a million numbers",
        f"{head}$old_group = 'a';\n@args = ();\n@x = ({'7,' * 10**6}1);\n@y = ({'7,' * 10**6}1);\n[record]\n",
    )
    yield (
        "commands",
        f"{head}$old_group = `touch /tmp/x`;\n@args = (system('touch x'));\n@x = (1,2);\n@y = (1,2);\n[record]\n",
    )
    yield "JSON nested deep", f'{mark}"a": {nested()}}}'
    yield "JSON with a number of a million digits", f'{mark}"a": {{"x": [{"9" * 1_000_000}], "y": [1]}}}}'
    yield "JSON with rows of other lengths", f'{mark}"a": {{"x": [[1, 2], [3]], "y": [1, 2]}}}}'
    yield "JSON with objects for numbers", f'{mark}"a": {{"x": {{"b": 1}}, "y": null}}}}'
    yield "JSON with a deep array", f'{mark}"a": {{"x": {nested(depth=60)}, "y": {nested(depth=60)}}}}}'
    yield (
        "JSON with values that are lists",
        f'{mark}"a": {{"args": {{"label": [1], "bkg_e0": [], "bkg_z": {{}}}}, {columns}}}}}',
    )
    yield (
        "JSON with args nested deep",
        f'{mark}"a": {{"args": {nested(depth=900)}, {columns}}}}}',
    )


def bombs() -> Iterator[tuple[str, bytes]]:
    """Compressed files that unpack to far more than any file has."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(b" ") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    yield "4 GB of spaces", start + block * 4096 + packer.flush()
    yield "100,000 members", gzip.compress(b"7112 1\n") * 100_000
    yield "half a member", gzip.compress(b" " * 2**20, 9)[:500]


def hostile_yaml() -> Iterator[tuple[str, str]]:
    """Configurations without end."""
    anchors = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{{', '.join(f'k{k}: *a{n - 1}' for k in range(9))}}}\n" for n in range(1, 12)
    )
    yield "anchors of anchors", anchors
    yield "a list that holds itself", "subsets: &a [*a]\n"
    yield "a mapping that holds itself", "subsets: &a {b: *a}\n"
    yield "nested lists", "subsets: " + nested()
    yield "nested objects", "subsets: " + nested("{a: ", "}")
    yield "nested dashes", "subsets:\n" + "- " * 20_000 + "1\n"
    yield "nested lines", "".join(" " * n + f"a{n}:\n" for n in range(700))
    yield "many keys", "".join(f"k{n}: 1\n" for n in range(50_000))
    yield "2 MB", "# " + "x" * 2_000_000
    yield "a list", "- 1\n"
    yield "a text", "hello"
    yield "a number of a million digits", "chunks: " + "9" * 900_000
    yield "an object of Python", "campaign: !!python/object/apply:os.system ['touch x']\n"
    yield "a tag", "campaign: !x 1\n"
    yield "a date", "campaign: 2001-99-99\n"
    yield "two documents", "a: 1\n---\nb: 1\n"
    yield "a key that is a list", "? [1]\n: 2\n"
    yield "nothing", ""
    yield "controls", "campaign: \x00\x1b[2J\n"
    yield "bytes", "campaign: !!binary '///'\n"
    yield "a merge", "<<: 1\n"
    for key in (
        "subsets",
        "campaign",
        "structures",
        "simulations",
        "features",
        "models",
        "chunks",
        "measured",
        "predict",
    ):
        for value in (
            "[[]]",
            "{a: 1}",
            "1.0e+999",
            ".nan",
            "-1",
            "[null]",
            "''",
            "~",
            "{{}: 1}",
            "99999999999999999999",
        ):
            yield f"{key}: {value}", f"{key}: {value}\n"
