"""Jinja templates of pages and cards: undefined names are errors, and HTML pages escape all texts."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape


@cache
def environment(package: str) -> Environment:
    """The templates in the folder `templates` of a package, such as `xanesflow.report`."""
    found = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["code"] = _code
    return found


def _code(text: str) -> Markup:
    """Escaped text, whose parts between backticks are code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))
