"""What was found, as text: what is wrong, why it matters here, and the code that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Confidence, Ownership, Severity
from dbops.render.page import styled
from dbops.render.remedies import remedies
from dbops.snapshot.amounts import format_bytes, format_count, listed, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from dbops.findings.finding import Finding
    from dbops.findings.fix import Fix
    from dbops.findings.report import Report
    from dbops.render.blocks import Block
    from dbops.render.page import Page

STYLES: Final = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
#: How many findings of one check are each shown in full; when there are more, so many of the worst in short.
FEW: Final = 3
WORST: Final = {Severity.CRITICAL: 3, Severity.WARNING: 3, Severity.INFO: 1}
#: How many lines of one fix are shown before the rest is left at a count: a partitioned table's has hundreds.
FEW_LINES: Final = 8

_PLURALS: Final = {"policy": "policies", "query": "queries"}
_WHOSE: Final = {Ownership.CONTRIB: "contrib", Ownership.THIRD_PARTY: "third party"}


class Advice:
    """Adds findings to a page. With `verbosity` 2 nothing is left at a count; with 3 the evidence is shown too."""

    def __init__(self, page: Page, report: Report, *, verbosity: int) -> None:
        self._page = page
        self._report = report
        self._verbosity = verbosity

    def block(self, block: Block) -> None:
        """Add what one check found: each finding by itself when they are few, else their sum and the worst."""
        page, severity = self._page, (f"{block.severity.upper():8}  ", STYLES[block.severity])
        if len(block.findings) <= FEW:
            for finding in block.findings:
                page.blank()
                self._named(finding, severity, (f"{block.check}  ", "bold"))
                page.prose(_message(finding), indent=2)
                self._rest(finding, indent=2)
                if finding.fix is None:
                    self._explain(block.check)
            return
        page.blank()
        page.items(styled(severity, (f"{block.check}  ", "bold")), _sums(block), separator=" · ", hanging=4)
        self._many(block)

    def _many(self, block: Block) -> None:
        page, is_brief = self._page, self._verbosity < 2
        shown = block.findings[: WORST[block.severity]] if is_brief else block.findings
        messages = {_message(finding).plain: _message(finding) for finding in block.findings}
        is_same = len(messages) == 1
        if is_same:
            page.prose(*messages.values(), indent=2)
        for finding in shown:
            if not is_brief:
                page.blank()
            self._named(finding, "  ")
            if not is_same:
                page.prose(_message(finding), indent=4)
            self._rest(finding, indent=4, is_brief=is_brief)
        if len(shown) < len(block.findings):
            rest = format_count(len(block.findings) - len(shown))
            page.line(styled(f"  {rest} more: add ", (f"-v --only {block.check}", "bold")))
        if any(finding.fix is None for finding in block.findings):
            self._explain(block.check)

    def _named(self, finding: Finding, *before: str | tuple[str, str]) -> None:
        """Add a line with the object and whose it is, or two where one has no room for both."""
        name, owner = styled(*before, finding.target.name), self._owner(finding)
        if not owner:
            self._page.line(name)
        elif self._page.fits(name.plain, "   ", owner):
            self._page.line(name + styled("   ", (owner, "dim")))
        else:
            self._page.line(name)
            self._page.line(styled((owner, "dim")), indent=len(name.plain) - len(name.plain.lstrip(" ")) + 2)

    def _owner(self, finding: Finding) -> str:
        """Return `shop.Order.user (0003_order_user)`, and who else's it is when it is not the project's."""
        owner = finding.owner
        words = [".".join(part for part in (owner.model, owner.field) if part)]
        if owner.migration:
            words.append(f"({owner.migration})")
        if owner.ownership in _WHOSE:
            words.append(f"[{_WHOSE[owner.ownership]}]")
        elif owner.ownership is Ownership.UNMANAGED and self._report.target.alias is not None:
            words.append("[managed = False]" if owner.model else "[no model]")
        return " ".join(word for word in words if word)

    def _rest(self, finding: Finding, *, indent: int, is_brief: bool = False) -> None:
        """Add what follows the message: what else it stands for, what to do, and with `-v` the evidence."""
        page = self._page
        for note in self._report.notes(finding):
            page.prose(styled((note, "bold")), indent=indent, hanging=2)
        if finding.rolled_up:
            most = 3 if self._verbosity < 2 else len(finding.rolled_up)
            page.prose(f"the same: {listed(list(finding.rolled_up), most=most)}", indent=indent, hanging=2)
        if finding.fix is not None:
            self._fix(finding, finding.fix, indent=indent, is_brief=is_brief)
        if self._verbosity > 2:
            evidence = [f"{name} {value}" for name, value in finding.evidence.items()]
            evidence.append(f"fingerprint {finding.fingerprint(self._report.target.name)}")
            page.prose(styled((", ".join(evidence), "dim")), indent=indent, hanging=2)

    def _explain(self, check: str) -> None:
        self._page.line(styled(("what to do: ", "dim"), f"manage.py dbanalyze --explain {check}"), indent=2)

    def _fix(self, finding: Finding, fix: Fix, *, indent: int, is_brief: bool) -> None:
        page = self._page
        if fix.caution:
            page.prose(styled(("caution: ", "bold yellow"), fix.caution), indent=indent, hanging=2)
        ways = remedies(finding)
        for remedy in ways[:1] if is_brief else ways:
            page.line(styled((f"{remedy.heading}:", "dim")), indent=indent)
            self._code(remedy.code, indent=indent + 4)
        if fix.undo and self._verbosity > 1:
            page.line(styled(("undo in SQL:", "dim")), indent=indent)
            self._code(fix.undo, indent=indent + 4)

    def _code(self, lines: Sequence[str], *, indent: int) -> None:
        shown = lines if self._verbosity > 1 or len(lines) <= FEW_LINES else lines[:FEW_LINES]
        self._page.code(shown, indent=indent)
        if len(shown) < len(lines):
            rest = plural(len(lines) - len(shown), "more statement")
            self._page.line(styled((f"-- {rest}: -v", "dim")), indent=indent)


def _message(finding: Finding) -> Text:
    if finding.confidence is Confidence.HIGH:
        return styled(finding.message)
    return styled(finding.message, (f" ({finding.confidence} confidence, {finding.basis})", "dim"))


def _sums(block: Block) -> list[str]:
    kinds = {finding.target.kind for finding in block.findings}
    noun = kinds.pop() if len(kinds) == 1 else "object"
    count = len(block.findings) + sum(len(finding.rolled_up) for finding in block.findings)
    sums = [plural(count, noun, _PLURALS.get(noun))]
    if block.size_bytes is not None:
        sums.append(format_bytes(block.size_bytes))
    if block.writes is not None:
        sums.append(f"{format_count(block.writes)} index writes since the statistics began")
    return sums
