"""Read JSON that others may have written: no depth, number or repeated anchor takes more than a moment."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from xanesflow.core import limits
from xanesflow.core.errors import BadTextError

_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[[ord("["), ord("{")]], _STEPS[[ord("]"), ord("}")]] = 1, -1


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        BadTextError: it is no JSON, is nested too deep, or holds a number that is too long; says which.
    """
    try:
        plain = text if isinstance(text, str) else text.decode()
        check_depth(plain)
        return json.loads(plain)
    except BadTextError:
        raise
    except UnicodeDecodeError:
        raise BadTextError("is not UTF-8") from None
    except RecursionError:
        raise BadTextError("is nested too deep") from None
    except json.JSONDecodeError as error:
        raise BadTextError(f"is no JSON ({one_reason(error)})") from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise BadTextError("holds a number that is too long") from None


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse JSON that must be an object, `{...}`.

    Raises:
        BadTextError: it is none; says why.
    """
    found = parse_json(text)
    if not isinstance(found, dict):
        raise BadTextError("is no JSON object")
    return found


def one_reason(error: json.JSONDecodeError) -> str:
    """Where JSON ends to be JSON: `line 3, column 7`."""
    return f"line {error.lineno}, column {error.colno}"


def check_depth(text: str) -> None:
    """Refuse brackets that are nested too deep; those within quotes do not count.

    Raises:
        BadTextError: they are.
    """
    if text.count("[") + text.count("{") <= limits.DEPTH_OF_TEXT:
        return
    bare = np.frombuffer(_TEXTS.sub("", text).encode("utf-8", "replace"), dtype=np.uint8)
    if int(np.cumsum(_STEPS[bare], dtype=np.int64).max(initial=0)) > limits.DEPTH_OF_TEXT:
        raise BadTextError("is nested too deep")


def check_values(value: Any) -> None:
    """Refuse a tree of lists and mappings that is too deep or too large, counting each use of a shared part again.

    Raises:
        BadTextError: it is.
    """
    level, count, depth = [value], 0, 0
    while level:
        count, depth = count + len(level), depth + 1
        if depth > limits.DEPTH_OF_TEXT:
            raise BadTextError("is nested too deep")
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
            if count + len(below) > limits.VALUES_OF_CONFIG:
                raise BadTextError(f"holds more than {limits.VALUES_OF_CONFIG:,} values")
        level = below
