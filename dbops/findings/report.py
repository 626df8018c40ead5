"""The outcome of one look at one database: every check's outcome, every finding, and the score."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  part of the public shape
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from dbops.findings.baseline import Standing
from dbops.findings.finding import Confidence, Finding, Ownership, Severity, Tag

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dbops.findings.baseline import Comparison, Entry

#: Points a finding costs.
POINTS: Final = {Severity.CRITICAL: 20.0, Severity.WARNING: 5.0, Severity.INFO: 0.0}
#: What the score is at most while a red condition holds.
RED_CAP: Final = 30


class Outcome(StrEnum):
    """How a check ended. `found` and `skipped` may both carry a reason: what could not be seen."""

    OK = "ok"
    FOUND = "found"
    SKIPPED = "skipped"
    CRASHED = "crashed"


#: The outcomes that are a judgement.
JUDGED: Final = frozenset({Outcome.OK, Outcome.FOUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How one check ended, and why, when it could not see everything."""

    check: str
    tag: Tag
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTarget:
    """What was looked at, and as which `role`. `window` is the span that counters were compared over, None without."""

    alias: str | None
    database: str
    server_version: str | None
    is_standby: bool | None
    table_count: int | None
    size_bytes: int | None
    role: str | None = None
    window: tuple[datetime, datetime, str] | None = None

    @property
    def name(self) -> str:
        """What the findings' fingerprints are bound to: the alias, or the database's name for a bare DSN."""
        return self.alias or self.database


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A finding that somebody decided to live with: why, and until when (ISO date)."""

    finding: Finding
    reason: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Term:
    """What one check takes off the score."""

    check: str
    points: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """0 to 100, with what it is made of. `capped_by` names the check whose red condition holds."""

    value: int
    capped_by: str | None
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What earlier looks at the database found: since when each finding that was there at the last one is there.

    `since` is the moment that somebody asked about, which makes findings new that came after it, and `gone` are those
    that were there then; without it, new is what the last look did not find.
    """

    first_seen_at: Mapping[str, datetime]
    since: datetime | None = None
    gone: tuple[Entry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """One look at one database, judged. `interrupted` says why the look ended early, when it did.

    `past` is what is known of earlier looks, None while no history is kept. `expired` are findings among `findings`
    that were ignored until a day that has passed; `comparison` is how all stand to a baseline, where one was given.
    """

    target: ReportTarget
    taken_at: datetime
    duration_ms: int
    results: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...] = ()
    expired: tuple[Ignored, ...] = ()
    comparison: Comparison | None = None
    interrupted: str | None = None
    unseen: tuple[str, ...] = ()
    past: Past | None = None

    @cached_property
    def now(self) -> Score | None:
        """The score of the living database; None when no live check could look."""
        return self._score(Tag.LIVE)

    @cached_property
    def wear(self) -> Score | None:
        """The score of the schema; None when no structural check could look."""
        return self._score(Tag.STRUCTURAL)

    @property
    def score(self) -> Score | None:
        """The lower of `now` and `wear`; None when nothing could be looked at, for that is not health."""
        known = [one for one in (self.now, self.wear) if one is not None]
        return min(known, key=lambda one: one.value, default=None)

    @property
    def found(self) -> tuple[Finding, ...]:
        """Every finding, the ignored ones too."""
        return (*self.findings, *(ignored.finding for ignored in self.ignored))

    @cached_property
    def judged(self) -> frozenset[str]:
        """The checks that looked at all they are about, so that what they did not find is not there."""
        if self.interrupted is not None or self.unseen:
            return frozenset()
        return frozenset(result.check for result in self.results if result.outcome in JUDGED and result.reason is None)

    @property
    def is_held_against_something(self) -> bool:
        """Whether something can be gone: there is a baseline, or a moment that was asked about."""
        return self.comparison is not None or (self.past is not None and self.past.since is not None)

    @property
    def gone(self) -> tuple[Entry, ...]:
        """What the baseline has, or was there at the moment that was asked about, and is no longer found."""
        if self.comparison is not None:
            return self.comparison.gone
        if self.past is None:
            return ()
        present = {finding.fingerprint(self.target.name) for finding in self.found}
        return tuple(one for one in self.past.gone if one.fingerprint not in present and one.check in self.judged)

    def standing(self, finding: Finding) -> Standing | None:
        """Return how `finding` stands to the baseline; None without one."""
        if self.comparison is None:
            return None
        return self.comparison.standings[finding.fingerprint(self.target.name)]

    def is_known(self, finding: Finding) -> bool:
        """Return whether the baseline has `finding`, as severe as it is now."""
        return self.standing(finding) is Standing.KNOWN

    def notes(self, finding: Finding) -> tuple[str, ...]:
        """Return what is to be said of `finding` beside its message: why it is here after all."""
        expired = [f"its ignore expired on {one.until}: {one.reason}" for one in self.expired if one.finding is finding]
        is_worse = self.standing(finding) is Standing.WORSE
        return (
            *expired,
            *(["it is worse than in the baseline"] if is_worse else []),
            *(["new"] if self.is_new(finding) else []),
        )

    def first_seen_at(self, finding: Finding) -> datetime | None:
        """Return when `finding` was found first; None where no history is kept."""
        if self.past is None:
            return None
        return self.past.first_seen_at.get(finding.fingerprint(self.target.name), self.taken_at)

    def is_new(self, finding: Finding) -> bool:
        """Return whether earlier looks, or the time that was asked about, did not have `finding`."""
        first = self.first_seen_at(finding)
        if self.past is None or first is None:
            return False
        return first > self.past.since if self.past.since is not None else first == self.taken_at

    def failing(self, severity: Severity | None) -> tuple[Finding, ...]:
        """Return the findings at or above `severity` (None: none) that count against a build.

        What a baseline knows does not.
        """
        if severity is None:
            return ()
        counted = {Ownership.MINE, Ownership.SERVER}
        if self.target.alias is None:
            counted.add(Ownership.UNMANAGED)
        return tuple(
            finding
            for finding in self.findings
            if finding.severity.rank >= severity.rank
            and finding.owner.ownership in counted
            and not self.is_known(finding)
        )

    def outcomes(self, outcome: Outcome) -> tuple[CheckResult, ...]:
        """Return the checks that ended so."""
        return tuple(result for result in self.results if result.outcome is outcome)

    def _score(self, tag: Tag) -> Score | None:
        looked = {result.check for result in self.results if result.tag is tag and result.outcome in JUDGED}
        if not looked:
            return None
        return score(finding for finding in self.findings if finding.check in looked)


def score(findings: Iterable[Finding]) -> Score:
    """Return 100 minus the points of `findings`.

    A critical finding costs 20, a warning 5, half of it at low confidence; one check costs at most twice what its
    worst finding does. While a red condition holds, the score is at most 30.
    """
    points: dict[str, list[float]] = defaultdict(list)
    capped_by = None
    for finding in findings:
        cost = POINTS[finding.severity] * (0.5 if finding.confidence is Confidence.LOW else 1.0)
        if cost:
            points[finding.check].append(cost)
        if finding.is_red:
            capped_by = capped_by or finding.check
    terms = [Term(check, min(sum(costs), 2 * max(costs))) for check, costs in points.items()]
    terms.sort(key=lambda term: (-term.points, term.check))
    value = max(0, round(100 - sum(term.points for term in terms)))
    if capped_by is not None and value > RED_CAP:
        return Score(value=RED_CAP, capped_by=capped_by, terms=tuple(terms))
    return Score(value=value, capped_by=capped_by, terms=tuple(terms))


def worst_first(findings: Collection[Finding]) -> tuple[Finding, ...]:
    """Return `findings` in the order a person should read them: severity, then mine first, check, name."""
    ownership = list(Ownership)
    return tuple(
        sorted(
            findings,
            key=lambda finding: (
                -finding.severity.rank,
                ownership.index(finding.owner.ownership),
                finding.check,
                finding.target.name,
            ),
        )
    )
