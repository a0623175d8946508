"""Read YAML that others may have written: no depth, anchor or repeated part takes more than a moment."""

from __future__ import annotations

from typing import Any

import yaml

from xanesflow.core.errors import BadTextError
from xanesflow.core.foreign_json import check_depth, check_values


def parse_yaml(text: str) -> Any:
    """Parse YAML into plain values.

    Raises:
        BadTextError: it is no YAML, is nested too deep, or uses its anchors too often; says which, and where.
    """
    check_depth(text)
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadTextError(f"is no YAML ({' '.join(str(error).split())[:300]})") from None
    except RecursionError:
        raise BadTextError("is nested too deep") from None
    except (ValueError, TypeError, AttributeError, OverflowError):  # dates and numbers that are none, odd keys
        raise BadTextError("holds a date, a number or a key that is none") from None
    check_values(found)
    return found
