"""What ends with a sentence for a user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from xanesflow.core.errors import XanesflowError


@contextmanager
def tells(
    *words: str, match: str = "", reason: str | None = None, error: type[Exception] = XanesflowError
) -> Iterator[None]:
    """The block ends with an error of one line that has all these words, fits the pattern, and has this reason."""
    with pytest.raises(error) as caught:
        yield
    said = str(caught.value)
    assert "\n" not in said and re.search(match, said), said
    for word in words:
        assert word in said
    assert reason is None or caught.value.reason == reason
