"""Names, options and settings that nobody means, where a word is given and not a file: each ends in one sentence."""

import io
import os
import time
from contextlib import suppress

import pytest
from hostile_commands import fault_of, import_libraries, run
from measured_files import ENERGY, mu, xdi

from xanesflow.app.uploads import Uploads
from xanesflow.config.campaign import Campaign
from xanesflow.config.convergence_rungs import rungs_of
from xanesflow.config.load import load_config
from xanesflow.core.errors import XanesflowError


@pytest.fixture(scope="module", autouse=True)
def _imported():
    import_libraries()


NAMES = (
    *("", " ", ".", "..", "/", "/dev/zero", "/proc/self/mem", "../../etc/passwd", "~", "*", "%s", "{why}", "None"),
    *("[red]x[/red]", "[/]", "=cmd|' /C calc'!A0", "<script>", "\x1b[2J\x07", "a\rb", "a\nb", "é" * 90, "a" * 5000),
    *("C11" * 30 + "!", "(" * 60 + "Cu" + ")" * 60, "Cu" + "9" * 70, "Cu0", "amcsd-9999999999", "amcsd-" + "9" * 5000),
)


def commands_with(name, good):
    yield ["xanes", name, "-s", "999999999"]
    yield ["structures", "search", name]
    yield ["xanes", "nio-rocksalt", "-e", name]
    yield ["structures", "search", "nio", "-e", name]
    yield ["match", good, name, "-e", "Fe"]
    yield ["mix", good, name, "-e", "Fe"]
    yield ["mix", name, good, "-e", "Fe"]
    yield ["measured", good, "--group", name, "-o", "x.csv"]
    yield ["measured", good, "--columns", name, "-o", "x.csv"]
    yield ["plan", "--subset", name, "--budget", "3"]
    yield ["dataset", "ids", name]
    yield ["predict", name, "-m", name]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_any_word_ends_in_a_sentence(tmp_path, name):
    """Each name in a third of the commands, and each command with a third of the names."""
    good = xdi(tmp_path / "good.xdi", "mu", ENERGY, mu(), element="Fe")
    work, bad = tmp_path / "work", []
    work.mkdir()
    for command in [*commands_with(name, good)][NAMES.index(name) % 3 :: 3]:
        end = run([f"./{each}" if str(each).startswith("-") and each is name else each for each in command], work)
        if fault := fault_of(end):
            bad.append(f"{command}: {fault}: {end.output[-500:]}")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_init_takes_any_name_or_says_why_not(tmp_path, name):
    there = tmp_path / "there"
    there.mkdir()
    end = run(["init", "--", there / name if name.startswith(("..", "~")) else name or there / "x"], there)
    assert not fault_of(end), end.output
    assert end.code == 0 or end.output.strip()


@pytest.mark.parametrize("name", [*NAMES, "a\0b", "con", "..\\..\\x", "x.cif/", "\ud800", "\u202efdp.cif"], ids=ascii)
def test_an_upload_of_any_name_stays_in_its_own_place(tmp_path, name):
    uploads = Uploads(tmp_path / "uploads", {"structure": (9, lambda shown, size: f"{shown} has {size} bytes.")})
    kept = uploads.receive("own", "structure", name, 3, io.BytesIO(b"abc"))
    path = uploads.path("own", kept["id"])
    assert path.read_bytes() == b"abc" and path.parent.parent == tmp_path / "uploads/own"
    assert kept["name"].isprintable() and 0 < len(kept["name"]) <= 200
    for size in (0, -5, 10**30):
        with pytest.raises(XanesflowError, match=r"has \d+ bytes\.$"):
            uploads.receive("own", "structure", name, size, io.BytesIO(b"x" * 10))
    others = (name, "../own/" + kept["id"], kept["id"] + "/..", kept["id"].upper(), "0" * 32)
    for file in (*others, None, 7, [kept["id"]], {}):
        if file != kept["id"]:
            with pytest.raises(XanesflowError, match="not kept any more"):
                uploads.path("own", file)
    assert [each.name for each in (tmp_path / "uploads/own").iterdir()] == [kept["id"]]


def test_a_session_may_not_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("xanesflow.app.uploads.MOST_BYTES", 20)
    uploads = Uploads(tmp_path, {"structure": (9, lambda shown, size: f"{shown} has {size} bytes.")})
    for _ in range(2):
        uploads.receive("own", "structure", "x", 9, io.BytesIO(bytes(9)))
    with pytest.raises(XanesflowError, match="at a time are too many"):
        uploads.receive("own", "structure", "x", 9, io.BytesIO(bytes(9)))
    assert uploads.receive("other", "structure", "x", 9, io.BytesIO(bytes(9)))

    # What is shown is not removed to make room, until it is 7 days old.
    first, second = sorted((tmp_path / "own").iterdir())
    for days, kept in ((6.9, [first, second]), (7.1, [second])):
        os.utime(first, (time.time() - 86400 * days,) * 2)
        with suppress(XanesflowError):
            uploads.receive("own", "structure", "x", 9, io.BytesIO(bytes(9)))
        assert set(kept) == {first, second} & set((tmp_path / "own").iterdir())


WRONG = (
    None,
    "",
    "x",
    7,
    -1,
    1e999,
    float("nan"),
    True,
    [],
    [[]],
    [None],
    {},
    {"a": 1},
    "\x1b[2J",
    "/dev/zero",
    "a" * 9999,
)
LADDERS = (
    *({"simulations": [1, 2]}, {"simulations.": [1, 2]}, {"simulations.xspectra.": [1, 2]}, {"inputs.feff": [1, 2]}),
    *(
        {"simulations.__class__": [1, 2]},
        {"simulations.xspectra.spectrum_length": [1]},
        {"simulations.source": [[], {}]},
    ),
    *({"simulations.xspectra.spectrum_length": each} for each in (["x", None], [1e999, -1], [[], {}], [10**400, 1])),
    *({"simulations.xspectra.spectrum_length": [*range(200)]}, {"simulations" + ".a" * 500: [1, 2]}, {7: [1, 2]}),
)


@pytest.mark.parametrize("wrong", [*WRONG, *LADDERS], ids=lambda wrong: ascii(wrong)[:40])
@pytest.mark.parametrize(
    "key", ["convergence", "convergence.ladder", "convergence.subset", "convergence.sites", "convergence.spearman",
            "measured", "measured.files", "measured.candidates", "measured.element", "measured.theory",
            "measured.contains", "measured.max_atoms"],
)  # fmt: skip
def test_any_setting_is_taken_or_refused_in_a_sentence(tmp_path, monkeypatch, key, wrong):
    """Of the sections on convergence and on measured spectra."""
    monkeypatch.chdir(tmp_path)
    section, _, name = key.partition(".")
    good = {"subset": "Ti_XSPECTRA"} if section == "convergence" else {"files": "scans", "candidates": "examples"}
    values = {
        "subsets": ["Ti_XSPECTRA"],
        "simulations": {"source": "run"},
        section: good | {name: wrong} if name else wrong,
    }
    try:
        config = load_config(values)
        if section == "convergence" and config.convergence.subset:
            rungs_of(Campaign(config))
        elif config.measured.files:
            config.measured.scans()
    except XanesflowError as error:
        said = str(error)
        assert len(said) < 2000 and said.endswith((".", "?")) and said.replace("\n", "").isprintable(), said
