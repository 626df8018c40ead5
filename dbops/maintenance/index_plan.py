"""Which indexes are to be built anew or dropped, and which of them only by somebody who says so in person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dbops.findings.bloat_findings import spoken
from dbops.findings.vacuum_advice import Cause, IndexAdvice
from dbops.snapshot.amounts import format_bytes
from dbops.snapshot.bloat import Bloat
from dbops.snapshot.index_shape import enforced, is_leftover, is_usable, shape_of
from dbops.snapshot.names import qualified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dbops.findings.finding import Finding
    from dbops.maintenance.rights import Right
    from dbops.snapshot.bloat import Bloats
    from dbops.snapshot.rows import Index, Server, Table
    from dbops.snapshot.schema import Schema


def index_advice(
    schema: Schema,
    server: Server,
    findings: Iterable[Finding],
    rights: Mapping[int, Right],
    bloats: Bloats | None,
) -> Iterator[IndexAdvice]:
    """Iterate over what the checks bloated_index and invalid_index found, index by index, the most wasteful first."""
    by_name = {index.qualified_name: index for index in schema.indexes.values()}
    found = []
    for finding in findings:
        if finding.check not in {"bloated_index", "invalid_index"} or finding.fix is None:
            continue
        for name in (finding.target.name, *finding.rolled_up):
            index = by_name.get(name)
            if index is None:
                continue
            table = schema.tables.get(index.table_oid if index.toast_of is None else index.toast_of)
            if table is None:
                continue
            is_bloated = finding.check == "bloated_index"
            bloat = bloats.of_index(index, 0) if bloats and is_bloated else None
            advice = _advice(finding, index, table, bloat if isinstance(bloat, Bloat) else None)
            obstacle = _reservation(schema, index, advice) or _denial(server, table, advice, rights.get(table.oid))
            found.append(replace(advice, size_bytes=schema.size_bytes(index.oid), obstacle=obstacle))
    yield from sorted(found, key=lambda one: one.bloat.wasted_bytes if one.bloat else 0, reverse=True)


def _advice(finding: Finding, index: Index, table: Table, bloat: Bloat | None) -> IndexAdvice:
    fix, name = finding.fix, index.qualified_name
    statements = fix.sql if fix else ()
    own = [statement for statement in statements if statement.endswith(f" {name};")]
    is_alone = finding.target.name == name
    if finding.check == "bloated_index":
        cause, caution = Cause.BLOATED, f"needs {format_bytes(bloat.needed_bytes)} of free disk" if bloat else None
        why = spoken(bloat, "its entries") if bloat else finding.message
    else:
        cause = Cause.LEFTOVER if is_leftover(index) or not index.is_live else Cause.INVALID
        caution = fix.caution if fix and is_alone else None
        why = finding.message if is_alone else "It was never finished."
    return IndexAdvice(
        oid=index.oid,
        name=name,
        table=table.qualified_name,
        table_oid=table.oid,
        cause=cause,
        why=why,
        bloat=bloat,
        statement="\n".join(own if index.kind != "I" and own else statements).removesuffix(";"),
        caution=caution,
    )


def _reservation(schema: Schema, index: Index, advice: IndexAdvice) -> str | None:
    """Return why nobody but a person should do it."""
    statement, bloat = advice.statement, advice.bloat
    if index.toast_of is not None:
        return "it is a TOAST table's, where only a superuser, or an owner with USAGE on the schema pg_toast, drops one"
    if index.kind == "I":
        return "it is a partitioned table's and takes several statements, which lock each partition in turn"
    if statement.startswith("DROP") and index.is_live and not (is_leftover(index) and _has_twin(schema, index)):
        return "nobody but you knows whether it was to be built or dropped: another one does its work"
    if statement.startswith("REINDEX") and "CONCURRENTLY" not in statement:
        return "it upholds an exclusion constraint, and building that anew stops writes to the table"
    if bloat is not None and bloat.unmeasured is not None:
        return f"its bloat is an estimate, and was not measured: {bloat.unmeasured}"
    return None


def _denial(server: Server, table: Table, advice: IndexAdvice, right: Right | None) -> str | None:
    """Return why this role may not do it, and what it takes."""
    is_drop = advice.statement.startswith("DROP")
    if right is None or (right.may_drop if is_drop else right.may_reindex):
        return None
    role, owner = qualified(server.role), qualified(right.owner)
    if is_drop or server.major < 17:
        what = "drop it" if is_drop else "build it anew (before PostgreSQL 17)"
        return f"only its table's owner may {what}: GRANT {owner} TO {role}"
    grant = f"GRANT MAINTAIN ON {table.qualified_name} TO {role} (pg_maintain is for all tables)"
    return f"{role} may not build it anew, whose table belongs to {owner}: {grant}"


def _has_twin(schema: Schema, index: Index) -> bool:
    """Return whether a usable index of the same table is the same and enforces as much."""
    shape = shape_of(index)
    return shape is not None and any(
        is_usable(other) and shape_of(other) == shape and enforced(other) == enforced(index)
        for other in schema.indexes_of(index.table_oid)
    )
