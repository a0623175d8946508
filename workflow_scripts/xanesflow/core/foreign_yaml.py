"""Read YAML that others may have written: no depth, anchor or repeated part takes more than a moment."""

from __future__ import annotations

import re
from typing import Any

import yaml

from xanesflow.core import limits
from xanesflow.core.errors import BadTextError
from xanesflow.core.foreign_json import check_depth, check_values
from xanesflow.core.text import one_line

_INDENTS = re.compile(r"^[ \t?:-]+", re.MULTILINE)
"""What stands before the first word of a line; a block within another begins in a later column."""


def parse_yaml(text: str) -> Any:
    """Parse YAML into plain values.

    Raises:
        BadTextError: it is no YAML, is nested too deep, or uses its anchors too often; says which, and where.
    """
    check_depth(text)
    if len(max(_INDENTS.findall(text), key=len, default="")) > limits.INDENT_OF_YAML:
        raise BadTextError("is nested too deep")
    try:
        # The parser in C is ten times faster. It must not be given more depth than its stack holds: see above.
        found = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        where = f", line {at.line + 1}, column {at.column + 1}" if at else ""
        what = "a key is a list or a mapping" if "unhashable" in str(error) else one_line(error.problem or "", 120)
        raise BadTextError(f"is no YAML ({what}{where})") from None
    except yaml.YAMLError as error:
        raise BadTextError(f"is no YAML ({one_line(error, 120)})") from None
    except RecursionError:
        raise BadTextError("is nested too deep") from None
    except (ValueError, TypeError, AttributeError, OverflowError):  # dates and numbers that are none, odd keys
        raise BadTextError("holds a date, a number or a key that is none") from None
    check_values(found)
    return found
