"""Foreign text in pages and cards stays text."""

import pytest
from markdown_it import MarkdownIt

from xanesflow.core.templates import environment, markdown

HOSTILE = [
    "<script>alert(1)</script>", "a | b", "[x](javascript:alert(1))", "![x](data:x)", "*bold* _slanted_ `code`",
    "one\n# two\n\n| three", "&lt;b&gt;", "back\\slash \\`", "Cu_FEFF",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_foreign_text_as_it_is(text):
    tokens = MarkdownIt("commonmark").enable("table").parse(f"by {markdown(text)}.\n")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    kinds = {child.type for child in tokens[1].children}
    assert kinds <= {"text", "text_special"}
    assert "".join(child.content for child in tokens[1].children) == f"by {' '.join(text.split())}."


def test_html_escapes_text_and_shows_backticks_as_code():
    render = environment("xanesflow.report").from_string("{{ text|code }}").render
    assert str(render(text="set `a<b` & <i>")) == "set <code>a&lt;b</code> &amp; &lt;i&gt;"
