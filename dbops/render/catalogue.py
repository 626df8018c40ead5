"""The checks there are, as text: a list of all, and the page of one."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Final, Protocol

from dbops.findings.finding import Tag
from dbops.render.page import Page, styled
from dbops.snapshot.amounts import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: What each tag's heading says.
_TAGS: Final = {
    Tag.STRUCTURAL: "the schema and the settings: they mean something on an empty, freshly migrated database too",
    Tag.LIVE: "the living database: its rows, sequences and statistics",
}
#: What an item of a list begins with in a check's page.
_LIST_MARK: Final = re.compile(r"([-*•]|\d+[.)]|\([a-z0-9]\)) +")


class Described(Protocol):
    """A check as its module describes it: a summary of one line, the other texts in paragraphs, thresholds by name."""

    @property
    def id(self) -> str: ...
    @property
    def tag(self) -> Tag: ...
    @property
    def summary(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def unreported(self) -> str: ...
    @property
    def thresholds(self) -> Mapping[str, object]: ...


class Right(Protocol):
    """What a role must be allowed: what it is, what stays unseen without it, and the statement that gives it."""

    @property
    def needs(self) -> str: ...
    @property
    def without(self) -> str: ...
    @property
    def grant(self) -> str: ...


def render_list(checks: Iterable[Described], *, width: int = 100, colour: bool = False, encoding: str = "utf-8") -> str:
    """Return every check with its summary and thresholds, by tag."""
    page = Page(width=width, colour=colour)
    together: dict[Tag, list[Described]] = {tag: [] for tag in _TAGS}
    for check in checks:
        together[check.tag].append(check)
    for tag, described in together.items():
        if not described:
            continue
        page.prose(styled((f"{tag}: ", "bold"), f"{plural(len(described), 'check')} of {_TAGS[tag]}"), hanging=2)
        page.blank()
        for check in described:
            page.line(styled((check.id, "bold")), indent=2)
            page.prose(check.summary, indent=6)
            for name, default in check.thresholds.items():
                page.line(styled((f"{name} = {default!r}", "dim")), indent=6)
        page.blank()
    page.prose(styled(("one in full: ", "dim"), "manage.py dbanalyze --explain CHECK"))
    return page.text(encoding)


def render_page(
    check: Described, rights: Iterable[Right] = (), *, width: int = 100, colour: bool = False, encoding: str = "utf-8"
) -> str:
    """Return one check's page: what it looks for, why, how to fix it, what it must be allowed, and what can be set."""
    page = Page(width=width, colour=colour)
    page.line(styled((check.id, "bold"), (f"  {check.tag}", "dim")))
    page.blank()
    page.prose(check.summary, indent=2)
    parts = {"Why it matters": check.why, "How to fix it": check.remedy, "Not reported": check.unreported}
    for heading, text in parts.items():
        if text:
            page.blank()
            page.line(styled((heading, "bold")))
            _paragraphs(page, text)
    for number, right in enumerate(rights):
        page.blank()
        if number == 0:
            page.line(styled(("What it must be allowed", "bold")))
        page.prose(f"{right.needs}; {right.without} otherwise.", indent=2)
        page.code([right.grant.format(role="its_role", schema="public")], indent=6)
    page.blank()
    page.line(styled(("Thresholds", "bold")))
    if not check.thresholds:
        page.prose("none: it is a fault wherever it occurs", indent=2)
        return page.text(encoding)
    for name, default in check.thresholds.items():
        page.line(f"{name} = {default!r}", indent=2)
    page.blank()
    page.line("Another value, or none of this check, in the settings:", indent=2)
    name, default = next(iter(check.thresholds.items()))
    page.code([f'DBOPS = {{"CHECKS": {{"{check.id}": {{"{name}": {default!r}}}}}}}'], indent=6)
    page.code([f'DBOPS = {{"CHECKS": {{"{check.id}": False}}}}'], indent=6)
    return page.text(encoding)


def paragraphs(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Iterate over paragraphs: whether it is code, which keeps its lines, and its items, one of plain prose."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        is_code = paragraph.startswith((" ", "\t"))
        yield is_code, [inspect.cleandoc(paragraph)] if is_code else _items(paragraph)


def _paragraphs(page: Page, text: str) -> None:
    """Add paragraphs: prose is wrapped anew, an item of a list hangs, and what is indented is code."""
    for number, (is_code, items) in enumerate(paragraphs(text)):
        if number:
            page.blank()
        if is_code:
            page.code(items, indent=6)
            continue
        for item in items:
            mark = _LIST_MARK.match(item)
            page.prose(item, indent=2, hanging=len(mark[0]) if mark else 0)


def _items(paragraph: str) -> list[str]:
    """Return the items of a list, each on one line; a paragraph that is none is its own only item."""
    items: list[str] = []
    for line in (line.strip() for line in paragraph.splitlines()):
        if items and not _LIST_MARK.match(line):
            items[-1] += f" {line}"
        else:
            items.append(line)
    return items
