"""Findings on statements: which ones are an application's queries, and what all of these findings share."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.snapshot.statement_text import tokens, verb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dbops.snapshot.activity_rows import StatementActivity, Window
    from dbops.snapshot.counter_rows import StatementTracking

#: What may be judged by its time. All other statements (VACUUM, COPY, CREATE INDEX, COMMIT) take what they take.
_QUERIES: Final = frozenset({"select", "insert", "update", "delete", "merge", "with", "values", "table"})
#: After these words a statement names what it reads or writes.
_BEFORE_NAMES: Final = frozenset({"from", "join", "into", "update"})
#: How the names begin of what a monitor or a driver asks for, and no application.
_CATALOGUE: Final = ("pg_", "information_schema")
#: So much of a statement tells it from others.
_SHOWN: Final = 120


def queries(statements: Iterable[StatementActivity]) -> Iterator[StatementActivity]:
    """Iterate over the queries that a client sent: not what a function ran, nor utility statements or the catalogue's.

    What has lost its text counts as a query.
    """
    return (one for one in statements if one.is_top_level and (one.text is None or _is_query(one.text)))


def _is_query(text: str) -> bool:
    if verb(text) not in _QUERIES:
        return False
    words = [spelled.strip('"').lower() for _, spelled in tokens(text)]
    named = [name for word, name in pairwise(words) if word in _BEFORE_NAMES and name != "("]
    return not named or not all(name.startswith(_CATALOGUE) for name in named)


def shown(statement: StatementActivity) -> str:
    """Return the text of a statement as a message has it: without data, and not longer than a line or two."""
    if statement.text is None:
        return "a statement whose text is not known"
    return statement.text if len(statement.text) <= _SHOWN else f"{statement.text[: _SHOWN - 1].rstrip()}…"


def query_finding(
    statement: StatementActivity,
    window: Window,
    message: str,
    evidence: Mapping[str, int | float | str],
    *,
    severity: Severity = Severity.WARNING,
    confidence: Confidence = Confidence.HIGH,
) -> Finding:
    """Return a finding on `statement`: less sure than `confidence` where its window leaves something open.

    It does where nobody knows when in its past something happened, as no history is kept, or where statements were
    dropped within it.
    """
    is_open = window.source != "history" or window.is_lower_bound
    if is_open and confidence is Confidence.HIGH:
        confidence = Confidence.MEDIUM
    return Finding(
        target=Target(Kind.QUERY, str(statement.query_id)),
        message=f"{message}: {shown(statement)}",
        severity=severity,
        confidence=confidence,
        basis=Basis.MEASURED,
        evidence={"calls": statement.calls, **evidence, "window_hours": round(window.hours, 2)},
    )


def hidden(tracking: tuple[StatementTracking, ...] | None) -> Iterator[Unseen]:
    """Iterate over what cannot be judged because this role sees its own statements alone."""
    if tracking and not tracking[0].sees_all_roles:
        yield Unseen(
            "statements of other roles", "only members of pg_read_all_stats see them (GRANT pg_read_all_stats)"
        )
