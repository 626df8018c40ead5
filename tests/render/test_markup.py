"""Markdown is rendered by markdown-it, which follows CommonMark and has GitHub's tables."""

from __future__ import annotations

from html import unescape

import pytest
from markdown_it import MarkdownIt

from dbops.render.markup import block, code, prose

ODD = (
    "plain",
    "a | b",
    "`tick`",
    "``two``",
    " `",
    "*bold* _it_ __x__",
    "<b>html</b> &amp; <!-- -->",
    "[link](http://a) ![i](b)",
    "1. one",
    "- item",
    "# heading",
    "> quote",
    "~~gone~~",
    'public."Mixed Case"',
    "Größe",
    "a\\b",
    "+ plus",
    "0.91",
    "\\|",
)


def html(text: str) -> str:
    shown: str = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    return shown


@pytest.mark.parametrize("text", ODD)
def test_prose_shows_what_it_holds_and_is_nothing_else(text: str) -> None:
    assert unescape(html(prose(text))) == f"<p>{text.strip()}</p>\n"


@pytest.mark.parametrize("text", ODD)
def test_code_shows_what_it_holds(text: str) -> None:
    assert unescape(html(f"a {code(text)}")) == f"<p>a <code>{text}</code></p>\n"


@pytest.mark.parametrize("text", [text for text in ODD if text != "\\|"])
def test_code_in_a_table_keeps_to_its_cell(text: str) -> None:
    table = html(f"| a | b |\n|---|---|\n| {code(text, in_table=True)} | end |")

    assert f"<td><code>{text}</code></td>\n<td>end</td>" in unescape(table)


@pytest.mark.parametrize("text", [*ODD, "```\nfence\n```", "````"])
def test_a_block_holds_any_code(text: str) -> None:
    assert unescape(html(block([text, "next"], "sql"))) == (
        f'<pre><code class="language-sql">{text}\nnext\n</code></pre>\n'
    )


def test_a_name_with_a_line_break_or_a_control_character_stays_on_its_line() -> None:
    assert prose("a\nb\x1b[31m\u202e") == r"a\\nb\\x1b\[31m\\u202e"
    assert code("a\nb\x1b") == r"`a\nb\x1b`"
    assert block(["a\x1b\nb"], "sql") == "```sql\na\\x1b\nb\n```"


def test_nobody_is_notified() -> None:
    assert prose("asked by @team, role web@dbops") == "asked by @\N{ZERO WIDTH SPACE}team, role web@dbops"
