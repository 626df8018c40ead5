"""Text as GitHub flavoured Markdown that shows exactly what it holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dbops.render.page import visible, visible_code

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What would be taken for markup anywhere in a line: `|` for the end of a table's cell, `_` only beside a word.
_MARKUP: Final = re.compile(r"[\\`*\[\]<>|~#&$]|(?<!\w)@|(?<![^\W_])_|_(?![^\W_])")
#: What makes a line an item of a list.
_LIST_MARK: Final = re.compile(r"^(\d*)([-+.)])(?=\s|$)")
_TICKS: Final = re.compile("`+")


def prose(text: str) -> str:
    """Return one line with nothing in it that is taken for markup, and nobody notified by an @."""
    escaped = _MARKUP.sub(lambda found: "@\N{ZERO WIDTH SPACE}" if found[0] == "@" else f"\\{found[0]}", visible(text))
    return _LIST_MARK.sub(r"\1\\\2", escaped.strip())


def code(text: str, *, in_table: bool = False) -> str:
    """Return one line as code. In a table its bars are escaped, as they are even in code."""
    shown = visible(text) or " "
    if in_table:
        shown = shown.replace("|", "\\|")
    fence = "`" * (_longest_run(shown) + 1)
    pad = (
        " " if shown.startswith("`") or shown.endswith("`") or (shown[0] == shown[-1] == " " and shown.strip()) else ""
    )
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(lines: Iterable[str], language: str) -> str:
    """Return lines as a fenced block of code, whatever is in them."""
    text = visible_code("\n".join(lines))
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)
