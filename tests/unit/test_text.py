"""Helpers for sentences."""

import re

import numpy as np
import pytest
from pymatgen.core import Structure

from xanesflow.cli.dataset_commands import _report_file_errors as report_dataset_errors
from xanesflow.cli.terminal import report_errors
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.text import about_time, clock, first_few, first_of, one_line, plural, printable, quoted


@pytest.mark.parametrize(
    ("said", "options", "line"),
    [
        (ValueError("two\n  lines. "), {}, "two lines"),
        (ValueError(), {}, "ValueError"),
        (ValueError(" \n"), {}, "ValueError"),
        ("a word.", {}, "a word"),
        ("", {}, ""),
        ("two\nlines.", {"stop": True}, "two lines."),
        ("a" * 10, {"length": 10}, "a" * 10),
        ("a" * 11, {"length": 10}, "a" * 7 + "..."),
    ],
)
def test_an_error_fits_into_one_line_of_a_sentence(said, options, line):
    assert one_line(said, **options) == line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "This needs more memory than there is; free some, or give less at a time."),
        (
            OSError(28, "No room", "/a/b.csv"),
            "The system said: No room (/a/b.csv); fix that and try again.",
        ),
    ],
)
def test_what_the_machine_lacks_is_said_by_commands_in_a_sentence(error, said, capsys):
    for report, code in ((report_errors, 1), (report_dataset_errors, 2)):
        with pytest.raises(SystemExit) as ended, report():
            raise error
        assert ended.value.code == code
        assert " ".join(capsys.readouterr().err.split()) == said


def test_a_number_agrees_with_its_noun():
    assert [plural(number, "site") for number in (0, 1, 2)] == ["0 sites", "1 site", "2 sites"]
    assert plural(2, "spectrum", "spectra") == "2 spectra" and plural(12345, "site") == "12,345 sites"


def test_of_many_names_the_first_are_named():
    assert first_of(["a", "b"], 2) == "a, b" and first_of(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_few(["a", "b"], 2) == "a, b" and first_few(["a", "b", "c"], 2) == "a, b, ..."


def test_a_name_can_stand_on_a_terminal():
    assert printable("abc", 2) == "ab"
    assert printable("a\x1b[1mé\udcff\n") == "a\ufffd[1mé\ufffd\ufffd"


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (65.9, "1:05"), (3665, "1:01:05")])
def test_a_duration_as_a_clock_shows_it(seconds, shown):
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(4.6, "about 5 s"), (44, "about 40 s"), (700, "about 12 min"), (9000, "about 2.5 h")],
)
def test_an_estimate_of_time_has_one_or_two_digits(seconds, said):
    assert about_time(seconds) == said


def test_what_a_message_quotes_is_short_printable_and_on_one_line():
    assert quoted("Cu\n_FEFF\x1b[31m") == "'Cu _FEFF\ufffd[31m'"
    assert len(quoted("x" * 500)) == 82 and quoted("x" * 500).endswith("...'") and quoted("ends.") == "'ends.'"
    assert quoted(["a", 1]) == "['a', 1]" and quoted(None) == "None" and len(quoted(list(range(500)))) == 80


@pytest.mark.parametrize(
    "raised",
    [
        lambda: next(iter([[]]))[0],
        lambda: np.linalg.inv(np.zeros((3, 3))),
        lambda: Structure(np.eye(3), ["Cu", "O"], [[0, 0, 0]]),
        lambda: int(None),
        lambda: None.lattice,
        lambda: np.concatenate([]),
    ],
)
def test_what_only_programmers_understand_does_not_reach_a_user(raised):
    with pytest.raises(Exception) as caught:
        raised()
    said = what_is_wrong(caught.value, quote=True)
    assert re.search("another form than it should|must be independent", said), said


def test_what_a_library_says_in_words_stays():
    assert what_is_wrong(ValueError("the atoms overlap."), quote=True) == "the atoms overlap"
    assert what_is_wrong(ValueError("could not convert string to float: 'x'.")).startswith("'x'")
    assert what_is_wrong(KeyError("lattice")) == "it has no 'lattice'"
    assert what_is_wrong(KeyError("it has none")) == "it has none"
