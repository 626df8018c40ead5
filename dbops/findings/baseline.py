"""Findings that were there when somebody drew the line: a build fails on what is new, and on what became worse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  part of the public shape
from enum import StrEnum
from typing import TYPE_CHECKING

from dbops.findings.finding import Severity  # noqa: TC001  part of the public shape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dbops.findings.finding import Finding


class Standing(StrEnum):
    """How a finding stands to a baseline. `worse`: it was there, and less severe."""

    NEW = "new"
    WORSE = "worse"
    KNOWN = "known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One finding of a baseline. `database` is the alias, or the database's name for a DSN."""

    fingerprint: str
    check: str
    target: str
    kind: str
    database: str
    severity: Severity

    @classmethod
    def of(cls, finding: Finding, database: str) -> Entry:
        """Return what a baseline keeps of `finding`."""
        return cls(
            fingerprint=finding.fingerprint(database),
            check=finding.check,
            target=finding.target.name,
            kind=finding.target.kind,
            database=database,
            severity=finding.severity,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was known when it was written."""

    written_at: datetime
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One database's findings held against a baseline: how each stands, by fingerprint, and what is no longer found."""

    standings: Mapping[str, Standing]
    gone: tuple[Entry, ...] = ()


def compare(
    baseline: Baseline,
    database: str,
    *,
    findings: Iterable[Finding],
    ignored: Iterable[Finding],
    judged: Collection[str],
) -> Comparison:
    """Return how the `findings` and the `ignored` ones of `database` stand to `baseline`.

    An entry is gone when its check is among those that `judged` the whole database and did not find it.
    """
    known = {entry.fingerprint: entry for entry in baseline.entries if entry.database == database}
    present = {finding.fingerprint(database): finding for finding in (*findings, *ignored)}
    return Comparison(
        standings={key: _standing(finding, known.get(key)) for key, finding in present.items()},
        gone=tuple(entry for key, entry in known.items() if key not in present and entry.check in judged),
    )


def renewed(old: Baseline | None, found: Iterable[Entry], gone: Iterable[Entry], *, now: datetime) -> Baseline:
    """Return the baseline of what was `found`.

    Entries of the `old` one stay, but for those that are `gone`: what was not looked at this time is not forgotten.
    """
    entries = {entry.fingerprint: entry for entry in (*(old.entries if old else ()), *found)}
    for entry in gone:
        entries.pop(entry.fingerprint, None)
    ordered = sorted(entries.values(), key=lambda entry: (entry.database, entry.check, entry.target, entry.fingerprint))
    return Baseline(written_at=now, entries=tuple(ordered))


def _standing(finding: Finding, entry: Entry | None) -> Standing:
    if entry is None:
        return Standing.NEW
    return Standing.WORSE if finding.severity.rank > entry.severity.rank else Standing.KNOWN
