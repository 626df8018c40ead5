"""Measuring the relations that seem to be bloated, with the extension pgstattuple, once the look itself is over.

Each is measured in a transaction of its own, so that none holds up VACUUM for longer than it takes to read it, and the
look's own transaction is not held open for it. What is measured does not depend on the checks' thresholds: the most
bloated by estimate, then those of which there is no estimate, the largest first. The checks judge later.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.batches import LOCKED, REASONS
from dbops.collect.session import ConnectionLostError, LookError
from dbops.snapshot.amounts import plural
from dbops.snapshot.bloat_estimate import Estimates
from dbops.snapshot.schema import Schema
from dbops.snapshot.storage_rows import BloatMeasurement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbops.collect.session import Session
    from dbops.snapshot.storage_rows import RelationPages

#: What has to be known before.
NEEDS: Final = (
    "server",
    "locked_relations",
    "tables",
    "columns",
    "indexes",
    "constraints",
    "relation_pages",
    "column_statistics",
)
#: From which estimated waste on a relation is measured; checks may well ask for more.
_WASTED_BYTES: Final = 10 * 1024**2
_WASTED_RATIO: Final = 0.2
#: From which size on a relation is measured whose waste cannot be estimated.
_UNKNOWN_BYTES: Final = 100 * 1024**2
#: How many are measured, how much of one may have to be read, how long one may take, and all together.
_MOST: Final = 20
_MOST_BYTES: Final = 4 * 1024**3
_STATEMENT_TIMEOUT_MS: Final = 20_000
_BUDGET_S: Final = 60.0
#: The extension may be in any schema, and nothing but its own functions is called.
_FUNCTIONS: Final = """
    SELECT p.proname::text                                                          AS name,
           (quote_ident(n.nspname) || '.' || quote_ident(p.proname))::text          AS call,
           has_schema_privilege(n.oid, 'USAGE')
               AND has_function_privilege(p.oid, 'EXECUTE')                         AS is_allowed
    FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                    AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    JOIN pg_proc p ON p.oid = d.objid
    JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE e.extname = 'pgstattuple' AND p.proname IN ('pgstattuple_approx', 'pgstatindex')
      AND p.pronargs = 1 AND p.proargtypes[0] = 'regclass'::regtype
"""
#: Reads the pages that are not marked as all-visible; of the others the free space map tells how full they are.
_OF_HEAP: Final = """
    SELECT table_len::bigint AS size_bytes, dead_tuple_len::bigint AS dead_bytes,
           approx_free_space::bigint AS free_bytes, approx_tuple_count::bigint AS rows
    FROM {call}(%s::oid::regclass)
"""
#: Reads the whole index. An index without a leaf has a density of NaN.
_OF_INDEX: Final = """
    SELECT index_size::bigint AS size_bytes, 0::bigint AS dead_bytes, NULL::bigint AS rows,
           ((empty_pages + deleted_pages) * page.bytes + CASE WHEN leaf_pages = 0 THEN 0
               ELSE leaf_pages * (page.bytes - 40) * (1 - avg_leaf_density / 100) END)::bigint AS free_bytes
    FROM {call}(%s::oid::regclass), (SELECT current_setting('block_size')::int AS bytes) page
"""
NOT_INSTALLED: Final = "the extension pgstattuple is not installed: CREATE EXTENSION pgstattuple"
NOT_ALLOWED: Final = "this role may not execute pgstattuple's functions: GRANT pg_stat_scan_tables TO it"


def measure_bloat(session: Session, seen: Mapping[str, Any]) -> tuple[BloatMeasurement, ...]:
    """Return what was measured of the relations that seem to be bloated, or why they were not measured.

    To be called when no transaction is open.
    """
    candidates = _candidates(seen)
    if not candidates:
        return ()
    locked = {relation.oid for relation in seen["locked_relations"]}
    measurements: list[BloatMeasurement] = []
    try:
        with session.transaction():
            session.hide_schemas()
            functions = {row["name"]: row for row in session.read(_FUNCTIONS)}
        ends_at = time.monotonic() + _BUDGET_S
        measured = 0
        for relation in candidates:
            left_ms = round((ends_at - time.monotonic()) * 1000)
            reason = _obstacle(relation, functions, locked)
            if reason is None and measured >= _MOST:
                reason = f"a look measures {plural(_MOST, 'relation')} at most, the worst first"
            elif reason is None and left_ms <= 0:
                reason = f"this look had no time left after {plural(measured, 'other')}"
            if reason is None:
                measured += 1
                call = functions[_function(relation)]["call"]
                measurements.append(_measure(session, relation, call, min(left_ms, _STATEMENT_TIMEOUT_MS)))
            else:
                measurements.append(BloatMeasurement(oid=relation.oid, unseen=reason))
    except (ConnectionLostError, LookError) as error:
        known = {measurement.oid for measurement in measurements}
        left = (relation.oid for relation in candidates if relation.oid not in known)
        measurements += [BloatMeasurement(oid=oid, unseen=str(error)) for oid in left]
    return tuple(measurements)


def _candidates(seen: Mapping[str, Any]) -> Sequence[RelationPages]:
    """Return what to measure, what matters most first."""
    schema = Schema(
        search_path=seen["server"][0].search_path,
        tables=seen["tables"],
        columns=seen["columns"],
        indexes=seen["indexes"],
        constraints=seen["constraints"],
    )
    ranked = ((_rank(relation, rank), relation) for relation, rank in _ranked(schema, seen))
    return [relation for _, relation in sorted(ranked, key=lambda one: one[0], reverse=True)]


def _rank(relation: RelationPages, wasted_bytes: int | None) -> tuple[int, int]:
    return (1, wasted_bytes) if wasted_bytes is not None else (0, relation.size_bytes)


def _ranked(schema: Schema, seen: Mapping[str, Any]) -> Iterator[tuple[RelationPages, int | None]]:
    """Iterate over the relations worth measuring, with what they seem to waste, None where nobody knows."""
    estimates = Estimates(schema, seen["column_statistics"])
    for relation in seen["relation_pages"]:
        table, index = schema.tables.get(relation.table_oid), schema.indexes.get(relation.oid)
        if table is None or schema.root(table).extension is not None:
            continue
        if relation.kind == "i" and (index is None or not (index.is_valid and index.is_ready)):
            continue
        pages = estimates.needed_pages(relation)
        if isinstance(pages, str):
            if relation.size_bytes >= _UNKNOWN_BYTES:
                yield relation, None
        else:
            wasted_bytes = relation.size_bytes - pages * relation.page_bytes
            if wasted_bytes >= max(_WASTED_BYTES, _WASTED_RATIO * relation.size_bytes):
                yield relation, wasted_bytes


def _function(relation: RelationPages) -> str:
    return "pgstatindex" if relation.kind == "i" else "pgstattuple_approx"


def _obstacle(relation: RelationPages, functions: Mapping[str, Mapping[str, Any]], locked: set[int]) -> str | None:
    """Return why `relation` cannot be measured, None when it can."""
    function = functions.get(_function(relation))
    if function is None:
        return NOT_INSTALLED
    if not function["is_allowed"]:
        return NOT_ALLOWED
    if not locked.isdisjoint((relation.oid, relation.table_oid)):
        return LOCKED
    pages = relation.pages if relation.kind == "i" else relation.unsettled_pages
    if pages * relation.page_bytes > _MOST_BYTES:
        return "more than 4 GB of it would have to be read"
    return None


def _measure(session: Session, relation: RelationPages, call: str, timeout_ms: int) -> BloatMeasurement:
    sql = (_OF_INDEX if relation.kind == "i" else _OF_HEAP).format(call=call)
    with session.transaction(statement_timeout_ms=timeout_ms):
        session.hide_schemas()
        try:
            (row,) = session.read(sql, [relation.oid])
        except LookError as error:
            return BloatMeasurement(oid=relation.oid, unseen=REASONS.get(error.sqlstate, str(error)))
    return BloatMeasurement(oid=relation.oid, **row)
