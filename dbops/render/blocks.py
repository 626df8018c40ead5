"""Findings put together as a person reads them: one block per severity and check, the worst first in each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Ownership, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.findings.finding import Finding

#: Numbers that tell how bad a finding is beside others of its check, the more telling ones first.
_WEIGHTS: Final = ("used_ratio", "size_bytes", "table_size_bytes", "writes", "rows")

#: Not the project's to fix, and no danger to its site: counted in one line instead of shown.
_OTHERS: Final = frozenset({Ownership.CONTRIB, Ownership.THIRD_PARTY})


@dataclass(frozen=True, slots=True)
class Block:
    """What one check found at one severity, the worst first; never empty."""

    check: str
    severity: Severity
    findings: tuple[Finding, ...]

    @property
    def size_bytes(self) -> int | None:
        """The bytes of all objects together, None when the size of any is not known."""
        return self._total("size_bytes")

    @property
    def writes(self) -> int | None:
        """The writes that all objects cost together, None when any is not known."""
        return self._total("writes")

    def _total(self, name: str) -> int | None:
        known = [finding.evidence.get(name) for finding in self.findings]
        numbers = [number for number in known if isinstance(number, (int, float))]
        return round(sum(numbers)) if len(numbers) == len(known) else None


def blocks(findings: Iterable[Finding]) -> list[Block]:
    """Return `findings` as blocks: by severity, what caps the score before the rest, then by check."""
    together: dict[tuple[Severity, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        together[finding.severity, finding.check].append(finding)
    made = [Block(check, severity, tuple(sorted(found, key=_order))) for (severity, check), found in together.items()]
    made.sort(key=lambda block: (-block.severity.rank, not any(one.is_red for one in block.findings), block.check))
    return made


def split(findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings to show, and those on other people's tables that may be left at a count."""
    shown: list[Finding] = []
    others: list[Finding] = []
    for finding in findings:
        is_other = finding.owner.ownership in _OTHERS and finding.severity is Severity.INFO
        (others if is_other else shown).append(finding)
    return shown, others


def _order(finding: Finding) -> tuple[object, ...]:
    weights = (finding.evidence.get(name, 0) for name in _WEIGHTS)
    return (
        not finding.is_red,
        list(Ownership).index(finding.owner.ownership),
        *(-weight if isinstance(weight, (int, float)) else 0 for weight in weights),
        finding.target.name,
    )
