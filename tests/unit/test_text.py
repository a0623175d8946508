"""Helpers for sentences."""

import pytest

from xanesflow.core.text import clock, first_few, first_of, listing, one_line, plural, printable


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (ValueError("two\n  lines. "), "two lines"),
        (ValueError(), "ValueError"),
        (ValueError(" \n"), "ValueError"),
        ("a word.", "a word"),
        ("", ""),
    ],
)
def test_an_error_fits_into_one_line_of_a_sentence(said, line):
    assert one_line(said) == line


def test_a_sentence_of_its_own_keeps_its_full_stop():
    assert one_line("two\nlines.", stop=True) == "two lines."


def test_a_long_message_is_cut():
    assert one_line("a" * 10, 10) == "a" * 10 and one_line("a" * 11, 10) == "a" * 7 + "..."


def test_a_number_agrees_with_its_noun():
    assert [plural(number, "site") for number in (0, 1, 2)] == ["0 sites", "1 site", "2 sites"]
    assert plural(2, "spectrum", "spectra") == "2 spectra"


def test_words_are_joined_as_in_a_sentence():
    assert [listing(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


def test_of_many_names_the_first_are_named():
    assert first_of(["a", "b"], 2) == "a, b" and first_of(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_few(["a", "b"], 2) == "a, b" and first_few(["a", "b", "c"], 2) == "a, b, ..."


def test_a_name_can_stand_on_a_terminal():
    assert printable("abc", 2) == "ab"
    assert printable("a\x1b[1mé\udcff\n") == "a\ufffd[1mé\ufffd\ufffd"


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (65.9, "1:05"), (3665, "1:01:05")])
def test_a_duration_as_a_clock_shows_it(seconds, shown):
    assert clock(seconds) == shown
