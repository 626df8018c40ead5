"""Reports with sensible defaults, for the tests of the faces: what a test does not name does not matter to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dbops.findings.baseline import Baseline, Entry, compare
from dbops.findings.changes import CreateIndex, DropIndex
from dbops.findings.finding import Finding, Kind, Owner, Ownership, Severity, Tag, Target
from dbops.findings.report import CheckResult, Outcome, Report, ReportTarget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.findings.fix import Fix

LIVE = frozenset({"exhausted_sequence", "lagging_sequence"})
CHECKS = (
    "duplicate_foreign_key",
    "duplicate_index",
    "exhausted_sequence",
    "invalid_index",
    "lagging_sequence",
    "mismatched_foreign_key",
    "missing_primary_key",
    "redundant_index",
    "unindexed_foreign_key",
    "unlogged_table",
    "unsuitable_column_type",
    "unvalidated_constraint",
)
MINE = Owner(ownership=Ownership.MINE, app_label="tasks", model="tasks.Task", field="user", migration="0003_task_user")


def a_finding(name: str = "public.task.task_user_fk", check: str = "unindexed_foreign_key", **values: Any) -> Finding:
    """A finding of `check` on a constraint of the project's own."""
    defaults: dict[str, Any] = {
        "target": Target(values.pop("kind", Kind.CONSTRAINT), name),
        "message": "Deleting one of 10,000 users scans 100,000 tasks (18 MB) under lock.",
        "owner": MINE,
        "check": check,
    }
    return Finding(**(defaults | values))


def an_unindexed_foreign_key(number: int = 0, **values: Any) -> Finding:
    """A finding with a fix that is a Django operation too."""
    table = f"task_{number}" if number else "task"
    index = CreateIndex(schema="public", table=table, columns=("user_id",), name=f"{table}_user_idx")
    operation = f'AddIndexConcurrently("{table}", models.Index(fields=["user"], name="{table}_user_idx"))'
    fix = values.pop("fix", None) or with_operation(index.fix(), operation)
    evidence = {"table_size_bytes": 18_000_000 * (number + 1), "rows": 100_000}
    return a_finding(f"public.{table}.{table}_user_fk", fix=fix, **({"evidence": evidence} | values))


def a_redundant_index(number: int = 0, **values: Any) -> Finding:
    """A remark with sizes and writes to be added up."""
    name = f"task_{number}_idx"
    drop = DropIndex(schema="public", name=name, definition=f"CREATE INDEX {name} ON public.task USING btree (a)")
    defaults = {
        "kind": Kind.INDEX,
        "severity": Severity.INFO,
        "message": "Every query it serves is served by public.task_a_b_idx too.",
        "evidence": {"size_bytes": 1_000_000 * (number + 1), "writes": 1_000 * (number + 1)},
        "fix": drop.fix(),
    }
    return a_finding(f"public.{name}", "redundant_index", **(defaults | values))


def an_exhausted_sequence(**values: Any) -> Finding:
    """A red condition, without a fix that could be pasted."""
    defaults = {
        "kind": Kind.SEQUENCE,
        "severity": Severity.CRITICAL,
        "message": "91 % of integer is used (1,954,301,002 of 2,147,483,647). Every INSERT fails when it is full.",
        "evidence": {"used_ratio": 0.91},
        "owner": Owner(
            ownership=Ownership.MINE, app_label="orders", model="orders.OrderLine", field="id", migration="0001_initial"
        ),
    }
    return a_finding("public.orders_orderline_id_seq", "exhausted_sequence", **(defaults | values))


def with_operation(fix: Fix, operation: str) -> Fix:
    """Return `fix` with a migration operation."""
    return replace(fix, operation=operation)


def a_target(**values: Any) -> ReportTarget:
    """A small PostgreSQL 18 behind the alias `default`."""
    defaults: dict[str, Any] = {
        "alias": "default",
        "database": "shop",
        "server_version": "18.6",
        "is_standby": False,
        "table_count": 14,
        "size_bytes": 9_876_543,
    }
    return ReportTarget(**(defaults | values))


def a_report(*findings: Finding, skipped: dict[str, str] | None = None, **values: Any) -> Report:
    """A report of all checks: those with findings found something, those in `skipped` could not look, for a reason."""
    found = {finding.check for finding in findings}
    defaults: dict[str, Any] = {
        "target": a_target(),
        "taken_at": datetime(2026, 11, 20, 10, 37, tzinfo=UTC),
        "duration_ms": 412,
        "results": tuple(results(found, skipped or {})),
        "findings": findings,
    }
    return Report(**(defaults | values))


def against_a_baseline(**values: Any) -> Report:
    """A report with a finding that is new, one that became worse and one that is known; one is gone."""
    new, worse, known, gone = (
        a_finding(f"public.{name}", "duplicate_index", kind=Kind.INDEX, message=f"It is {name}.")
        for name in ("new", "worse", "known", "gone")
    )
    before = replace(worse, severity=Severity.INFO)
    entries = tuple(Entry.of(finding, "default") for finding in (before, known, gone))
    baseline = Baseline(written_at=datetime(2026, 11, 1, tzinfo=UTC), entries=entries)
    report = a_report(new, worse, known, **values)
    comparison = compare(baseline, "default", findings=report.findings, ignored=(), judged=report.judged)
    return replace(report, comparison=comparison)


def results(found: Iterable[str], skipped: dict[str, str]) -> Iterable[CheckResult]:
    """Iterate over the outcomes of all checks."""
    for check in CHECKS:
        outcome = Outcome.FOUND if check in found else Outcome.SKIPPED if check in skipped else Outcome.OK
        tag = Tag.LIVE if check in LIVE else Tag.STRUCTURAL
        yield CheckResult(check=check, tag=tag, outcome=outcome, reason=skipped.get(check))
