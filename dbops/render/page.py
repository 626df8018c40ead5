"""A page for a terminal: prose is wrapped to its width, code never is, and any encoding can print it."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Longer lines of prose are hard to read, however wide the terminal is.
MAX_PROSE_CELLS: Final = 110

#: What a terminal obeys instead of showing: control characters, and those that turn the direction of writing.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_UNSAFE_IN_CODE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WORD: Final = re.compile(r" *[^ ]+")

#: How our own characters look where the encoding does not have them.
_PLAIN: Final = {
    "·": "|",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "→": "->",
    "≠": "!=",
}


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return one text of plain parts and of (part, style) pairs, on one line, with nothing a terminal would obey."""
    text = Text()
    for part in parts:
        words, style = (part, "") if isinstance(part, str) else part
        text.append(visible(words), style)
    return text


def visible(text: str) -> str:
    """Return `text` on one line, with what a reader could not see, or a terminal would obey, written out."""
    return _shown(text, _UNSAFE)


def visible_code(text: str) -> str:
    """Return lines of code with what a reader could not see, or a terminal would obey, written out."""
    return _shown(text, _UNSAFE_IN_CODE)


def encodable(text: str, encoding: str) -> str:
    """Return `text` with what `encoding` does not have written in plainer characters."""
    plainer = {}
    for character in set(text):
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            escaped = character.encode(encoding, "backslashreplace").decode(encoding)
            plainer[ord(character)] = _PLAIN.get(character, escaped)
    return text.translate(plainer)


class Page:
    """Lines, one after the other. With `colour`, they carry the codes for the sixteen colours every terminal has."""

    def __init__(self, *, width: int, colour: bool) -> None:
        self._out = io.StringIO()
        self._console = Console(
            file=self._out,
            width=width,
            force_terminal=colour,
            color_system="standard" if colour else None,
            no_color=not colour,
            legacy_windows=False,
            highlight=False,
        )
        self.width = width

    def prose(self, text: Text | str, *, indent: int = 0, hanging: int = 0) -> None:
        """Add a paragraph, wrapped between words; its second and later lines are `hanging` cells further in."""
        text = text if isinstance(text, Text) else styled(text)
        room = min(self.width, MAX_PROSE_CELLS) - indent
        for number, line in enumerate(text.divide(_breaks(text.plain, room, room - hanging))):
            line.rstrip()
            self._print(Text(" " * (indent + (hanging if number else 0))) + line)

    def items(self, first: Text, items: Iterable[str], *, separator: str, hanging: int) -> None:
        """Add `first` and `items` on as few lines as they fit on, none of them broken."""
        line = first
        for number, item in enumerate(items):
            gap = separator if number else ""
            if number and not self.fits(line.plain, gap, item):
                line.append(gap.rstrip())
                self._print(line)
                line, gap = Text(" " * hanging), ""
            line += styled(gap, item)
        self._print(line)

    def line(self, text: Text | str, *, indent: int = 0) -> None:
        """Add one line as it is, however long."""
        self._print(Text(" " * indent) + (text if isinstance(text, Text) else styled(text)))

    def code(self, lines: Iterable[str], *, indent: int, style: str = "") -> None:
        """Add lines to be copied: never wrapped, each line of a longer text indented alike."""
        for text in lines:
            for line in visible_code(text).split("\n"):
                self._print(Text(" " * indent) + Text(line, style))

    def blank(self) -> None:
        """Add an empty line."""
        self._out.write("\n")

    def text(self, encoding: str = "utf-8") -> str:
        """Return the page, in characters that `encoding` has."""
        return encodable(self._out.getvalue(), encoding)

    def fits(self, *parts: str) -> bool:
        """Tell whether `parts` have room on one line."""
        return sum(cell_len(part) for part in parts) <= self.width

    def _print(self, text: Text) -> None:
        self._console.print(text, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)


def _shown(text: str, unsafe: re.Pattern[str]) -> str:
    """Return `text` with unsafe characters written out: a line break in a name as `\\n`."""
    return unsafe.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _breaks(text: str, first: int, others: int) -> list[int]:
    """Return the offsets where lines begin, so that no line but one of a single long word is wider than its room."""
    breaks: list[int] = []
    used, room = 0, first
    for match in _WORD.finditer(text):
        word = match[0]
        gap = len(word) - len(word.lstrip(" "))
        cells = cell_len(word)
        if used and used + cells > room:
            breaks.append(match.start() + gap)
            used, room = cells - gap, others
        else:
            used += cells
    return breaks
