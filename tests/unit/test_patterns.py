"""No regular expression takes long over a text that was made for it: time grows as the text does, not as its square."""

import re
import signal
import time
from pathlib import Path

import pytest
from pumped_patterns import patterns_of, pumped

import xanesflow

PACKAGE = Path(xanesflow.__file__).parent
LENGTH, SECONDS = 4000, 0.02
"""A pattern that looks at each sign a few times needs a tenth of it; one that goes back to each sign, some times it."""


class TooLongError(Exception):
    pass


def seconds_of(use, text) -> float:
    """Processor time, the least of three, and at most half a second."""
    best = 9.0
    for _ in range(3):
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.5)
        begun = time.process_time()
        try:
            use(text)
        except TooLongError:
            return 9.0
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        best = min(best, time.process_time() - begun)
        if best < SECONDS:
            break
    return best


@pytest.fixture
def _timer():
    def stop(*_):
        raise TooLongError

    before = signal.signal(signal.SIGVTALRM, stop)
    yield
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.usefixtures("_timer")
@pytest.mark.parametrize("room", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()))
def test_no_pattern_goes_back_again_and_again(room):
    slow = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        module = ".".join(["xanesflow", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        if "re." not in path.read_text(encoding="utf-8") or path.name == "__main__.py":
            continue
        for line, pattern, use in patterns_of(path, module):
            worst = next((text for text in pumped(pattern, LENGTH) if seconds_of(use, text) > SECONDS), None)
            if worst is not None:
                slow.append(f"{module}:{line} {pattern.pattern!r} with {worst[:20]!r}")
    assert not slow, "\n".join(slow)


@pytest.mark.usefixtures("_timer")
def test_patterns_that_go_back_are_found():
    for pattern in (r"\d+\.?\d*x", r"(?:[A-Z]\d*\.?\d*)+y"):
        compiled = re.compile(pattern, re.MULTILINE)
        use = compiled.search
        assert any(seconds_of(use, text) > SECONDS for text in pumped(compiled, LENGTH)), pattern
