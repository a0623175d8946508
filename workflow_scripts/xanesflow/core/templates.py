"""Jinja templates of pages and cards: undefined names are errors, and HTML pages escape all texts.

Cards in Markdown write foreign text as `{{ text|md }}`.
"""

from __future__ import annotations

import html
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from xanesflow.core.text import plural


@cache
def environment(package: str) -> Environment:
    """The templates in the folder `templates` of a package, such as `xanesflow.report`."""
    found = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {"code": _code, "md": markdown, "plural": plural}
    return found


def _code(text: str) -> Markup:
    """Escaped text, whose parts between backticks are code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def markdown(text: object) -> str:
    """Text on one line that Markdown shows as it is, within a table too."""
    plain = " ".join(html.escape(str(text), quote=False).split())
    return re.sub(r"[\\`*\[\]|]|(?<!\w)_|_(?!\w)", r"\\\g<0>", plain)
