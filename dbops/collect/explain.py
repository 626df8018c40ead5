"""The generic plan of a statement that pg_stat_statements knows: planned by the server, never carried out.

The planner runs functions that are declared immutable or stable, when their arguments are constants, to estimate. So
that none of them can do harm, the statement is planned in a transaction that is READ ONLY and always rolled back, under
time limits, and with the rights of the role that ran it wherever we may take them. There is no ANALYZE.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import LookError, Session
from dbops.collect.statement_statistics import unreadable
from dbops.errors import DbopsError
from dbops.findings.plan_nodes import cost_shares, read_plan
from dbops.findings.plan_reading import Explained, PlannedIndex, PlannedRelation, Surroundings, remarks_on
from dbops.snapshot.names import qualified, quote_ident
from dbops.snapshot.plannable_text import plannable, unplannable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dbops.findings.plan_nodes import PlanNode
    from dbops.findings.plan_reading import Measured
    from dbops.snapshot.counter_rows import StatementTracking

#: From which version on the server plans parameters without values itself.
_GENERIC: Final = 16
#: The text of one statement, that of the role first whose executions took longest. Locks: none.
_TEXT: Final = """
SELECT s.query AS text, r.rolname::text AS role, s.userid = current_user::regrole AS is_own,
       pg_has_role(current_user, s.userid, '{right}') AS may_take
FROM {statements}.pg_stat_statements(true) s JOIN pg_roles r ON r.oid = s.userid
WHERE s.queryid = %s AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY s.total_exec_time DESC LIMIT 1
"""
#: What one sort, and one hash table, may take in memory. Locks: none.
_MEMORY: Final = """
SELECT setting::bigint * 1024 AS work_mem_bytes,
       (setting::bigint * 1024 * current_setting('hash_mem_multiplier')::float8)::bigint AS hash_mem_bytes
FROM pg_settings WHERE name = 'work_mem'
"""
#: Tables by schema and name. Locks: none.
_RELATIONS: Final = """
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relispartition AS is_partition,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS rows,
       c.relpages::bigint * current_setting('block_size')::int AS size_bytes
FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
"""
#: The b-trees of tables that can be used, with the first column of each. Locks: none.
_INDEXES: Final = """
SELECT i.indrelid::bigint AS table_oid, x.relname::text AS name, a.attname::text AS leading,
       i.indpred IS NOT NULL AS is_partial
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND i.indkey[0] > 0
WHERE i.indisvalid AND i.indrelid = ANY (%s)
ORDER BY x.relname
"""
_BY_HAND: Final = "run EXPLAIN by hand, with values in place of $1, $2"
#: Why the server does not plan a text of its own, by SQLSTATE, and what to do: a message of its own may hold data.
_REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "42601": (
        "its text is no SQL any more: the server puts $1 where its grammar wants a constant, or the text was cut off",
        _BY_HAND,
    ),
    "42803": ("constants that were equal have become different parameters, so that GROUP BY does not match", _BY_HAND),
    "42P10": ("constants that were equal have become different parameters, so that its lists do not match", _BY_HAND),
    "55P03": ("another session holds a lock on one of its tables", "try again when that session has ended"),
    "57014": ("the server did not plan it in time", "try again when there is less load"),
    "25006": ("planning it would write something", _BY_HAND),
    "55000": ("the server cannot plan it now; a standby plans no statement that writes", "look at the primary"),
}
#: The types of its parameters cannot be told: indeterminate, ambiguous, no such operator or function, mismatch.
_OF_TYPES: Final = frozenset({"42P18", "42P08", "42725", "42883", "42804", "42846", "22P02", "42P02"})
#: Whose message names objects alone.
_OF_OBJECTS: Final = frozenset({"42P01", "42703", "3F000", "42704"})


class CannotExplainError(DbopsError):
    """the statement cannot be planned"""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The server's own text of a statement, which may hold data, and the role to plan it as, None for our own."""

    text: str
    role: str | None
    ran_by: str


class PlanningSession(Session):
    """A session that can plan statements of others."""

    @contextmanager
    def planning(self, role: str | None) -> Iterator[None]:
        """Hold a read-only transaction as `transaction` does, with the rights of `role` where one is given."""
        with self.transaction(end="ROLLBACK"):
            self._fetch("RELEASE SAVEPOINT look")
            if role is not None:
                self._fetch(f"SET LOCAL ROLE {quote_ident(role)}")
            self._fetch("SET LOCAL row_security = on")  # as for the application: a policy is part of the plan
            self._fetch("SET LOCAL plan_cache_mode = force_generic_plan")
            self._fetch("SET LOCAL standard_conforming_strings = on")
            self._fetch("SAVEPOINT look")
            yield

    @contextmanager
    def prepared(self, name: str, text: str) -> Iterator[None]:
        """Have `text` prepared, and forgotten afterwards: what is prepared outlives a transaction.

        Raises:
            LookError: the server refused.
        """
        try:
            self._fetch(f"PREPARE {name} AS {text}")
        except LookError:
            self._fetch("ROLLBACK TO SAVEPOINT look")
            raise
        try:
            yield
        finally:
            if not self._connection.closed:
                self._fetch(f"DEALLOCATE {name}")


def explain(
    session: PlanningSession,
    tracking: StatementTracking,
    major: int,
    query_id: int,
    *,
    measured: Measured | None = None,
) -> Explained:
    """Return the generic plan of the statement with this query id, read for a person.

    `measured` is what its executions did, where that is known.

    Raises:
        CannotExplainError: there is none, and why.
        ConnectionLostError: the server went away.
    """
    reason = unreadable(tracking)
    if reason is not None:
        raise CannotExplainError(reason)
    try:
        kept = _kept(session, quote_ident(tracking.schema or ""), major, query_id)
        reason = unplannable(kept.text)
        if reason is not None:
            message = f"statement {query_id} cannot be explained: {reason}"
            raise CannotExplainError(message)
        ready = plannable(kept.text, measured.rows_per_call if measured else None)
        with session.planning(kept.role):
            [memory] = session.read(_MEMORY)
            root, how = _plan(session, ready.text, major)
        with session.transaction():
            session.hide_schemas()
            relations = _relations(session, root)
    except LookError as error:
        raise _refusal(query_id, error) from error
    around = Surroundings(relations=relations, measured=measured, **memory)
    return Explained(
        query_id=query_id,
        root=root,
        shares=cost_shares(root),
        remarks=remarks_on(root, around),
        how=how,
        role=kept.role or kept.ran_by,
        notes=ready.notes,
    )


def _kept(session: PlanningSession, schema: str, major: int, query_id: int) -> _Kept:
    sql = _TEXT.format(statements=schema, right="SET" if major >= _GENERIC else "MEMBER")
    with session.transaction():
        session.hide_schemas()
        found = session.read(sql, (query_id,))
    if not found or not found[0]["text"]:
        message = f"the server has no text of statement {query_id} any more, or shows it to others alone"
        hint = "it is kept while pg_stat_statements counts the statement; members of pg_read_all_stats see all of them"
        raise CannotExplainError(message, hint=hint)
    [row] = found
    takes = row["may_take"] and not row["is_own"]
    return _Kept(row["text"], row["role"] if takes else None, row["role"])


def _plan(session: PlanningSession, text: str, major: int) -> tuple[PlanNode, str]:
    """Return the plan, and by what it was made."""
    options = "FORMAT JSON, VERBOSE"
    if major >= _GENERIC:
        rows = session.read(f"EXPLAIN ({options}, GENERIC_PLAN) {text}")
        return _root(rows), "EXPLAIN (GENERIC_PLAN)"
    name = f"dbops_plan_{os.getpid()}"
    with session.prepared(name, text):
        [found] = session.read(
            "SELECT cardinality(parameter_types) AS count FROM pg_prepared_statements WHERE name = %s", (name,)
        )
        nulls = ", ".join(["NULL"] * found["count"])
        rows = session.read(f"EXPLAIN ({options}) EXECUTE {name}" + (f"({nulls})" if nulls else ""))
    return _root(rows), "EXPLAIN EXECUTE with force_generic_plan"


def _root(rows: list[dict[str, Any]]) -> PlanNode:
    [document] = rows[0].values()
    [plan] = json.loads(document) if isinstance(document, str) else document
    return read_plan(plan)


def _relations(session: Session, root: PlanNode) -> dict[str, PlannedRelation]:
    wanted = list(dict.fromkeys(node.place for node in root.walk() if node.place is not None))
    found = session.read(_RELATIONS, ([schema for schema, _ in wanted], [name for _, name in wanted]))
    indexes = session.read(_INDEXES, ([row["oid"] for row in found],))
    return {
        qualified(row["schema"], row["name"]): PlannedRelation(
            rows=row["rows"],
            size_bytes=row["size_bytes"],
            is_partition=row["is_partition"],
            indexes=tuple(
                PlannedIndex(name=index["name"], leading=index["leading"], is_partial=index["is_partial"])
                for index in indexes
                if index["table_oid"] == row["oid"]
            ),
        )
        for row in found
    }


def _refusal(query_id: int, error: LookError) -> CannotExplainError:
    """Return in our own words why a statement was not planned: the server's may hold what its text holds."""
    state = error.sqlstate or ""
    subject = f"statement {query_id} cannot be explained"
    said = error.message.removeprefix("ERROR:").strip()
    if state in _REFUSALS:
        reason, hint = _REFUSALS[state]
    elif state == "42501":
        reason, hint = said, "planning needs the rights of the statement: GRANT SELECT, or membership in its role"
    elif state in _OF_OBJECTS:
        reason, hint = said, "it was dropped since, or is not on the search path of this connection"
    elif state in _OF_TYPES:
        reason, hint = "the types of its parameters cannot be told from its text", _BY_HAND
    else:
        reason, hint = f"the server refused with SQLSTATE {state or 'unknown'}", _BY_HAND
    return CannotExplainError(f"{subject}: {reason}", hint=hint)
