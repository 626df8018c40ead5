"""Look at a test database through the whole pipe, and apply what a finding advises."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import psycopg

from dbops.analysis.runner import analyze, select
from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dbops.findings.finding import Finding
    from dbops.findings.fix import Fix
    from dbops.findings.report import CheckResult
    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Database


@dataclass(frozen=True)
class Looked:
    """What one check said."""

    result: CheckResult
    findings: list[Finding]

    @property
    def targets(self) -> list[str]:
        return [finding.target.name for finding in self.findings]


#: What has to be known of Django before a look, where there is no Django.
NO_MODELS: Final[Mapping[str, Any]] = {"loose_relations": ()}


def snapshot_of(database: Database, *, role: str | None = None, given: Mapping[str, Any] | None = None) -> Snapshot:
    """Everything there is to see in `database`, as superuser or as `role`; `given` stands in for what Django shows."""
    given = {**NO_MODELS, **(given or {})}
    with closing(database.connect(role)) as connection:
        return collect(
            Session(connection, psycopg.Error), alias=None, database=database.name, sections=READ_HERE, given=given
        )


def look(
    database: Database,
    check: str,
    *,
    role: str | None = None,
    sections: Mapping[str, Any] | None = None,
    **thresholds: Any,
) -> Looked:
    """Run one check on `database`; `sections` stands in for what Django would show."""
    snapshot = snapshot_of(database, role=role, given=sections)
    snapshot = replace(snapshot, sections={**snapshot.sections, **(sections or {})})
    analysis = analyze(snapshot, select(only=[check]), thresholds={check: thresholds})
    (result,) = analysis.results
    return Looked(result, list(analysis.findings))


def apply(database: Database, fix: Fix | None) -> None:
    """Run a fix as it says: in one transaction, or statement by statement."""
    assert fix is not None
    _run(database, fix.sql, in_transaction=fix.in_transaction)


def undo(database: Database, fix: Fix | None) -> None:
    """Take a fix back."""
    assert fix is not None
    assert fix.undo
    _run(database, fix.undo, in_transaction=fix.in_transaction)


def in_schemas(database: Database, table: str, cases: Sequence[tuple[str, ...]]) -> None:
    """Set up every case in a schema of its own, `s00`, `s01`, …: first `table`, then the case's statements."""
    for number, statements in enumerate(cases):
        database.execute(f"CREATE SCHEMA s{number:02}; SET search_path = s{number:02}")
        for statement in (table, *statements):
            database.execute(statement)
    database.execute("RESET search_path")


def _run(database: Database, statements: tuple[str, ...], *, in_transaction: bool) -> None:
    connection = database.connect()
    if in_transaction:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
    else:
        for statement in statements:
            connection.execute(statement)
    connection.close()
