"""An unlogged table: emptied by a crash, absent from every replica.

An unlogged table writes no WAL. That makes it fast, and costs three things: after a crash, a kill -9 or a failover
the server empties it; a standby has the table but never its rows, and refuses to read it; a physical backup restores
it empty. What is meant as a scratch area or a cache may live with that. A table of a model may not, and often nobody
remembers the afternoon when a big import was made faster that way.

How to fix:

ALTER TABLE … SET LOGGED writes the whole table anew, into the WAL, under an exclusive lock; its sequences follow. A
table cannot be logged while it refers to an unlogged one, so the tables that its foreign keys refer to come first.
Tables that refer to one another in a circle can only be changed after one of the foreign keys was dropped; it is
added again afterwards.

Where the table may be lost, say so in the settings, under IGNORE, with the reason.

Not reported: temporary tables, tables of extensions. A partition's finding is its topmost table's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Location, Tag, Target
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.key_columns import rewrite_caution

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL


def check(schema: Schema) -> Iterator[Finding]:
    for table in schema.roots():
        unlogged = [leaf for leaf in schema.leaves(table) if leaf.persistence == "u"]
        if not unlogged:
            continue
        counts = [leaf.row_estimate for leaf in unlogged]
        sizes = [schema.size_bytes(leaf.oid) for leaf in unlogged]
        row_count = sum(count or 0 for count in counts) if None not in counts else None
        evidence = {"rows": row_count, "size_bytes": sum(size or 0 for size in sizes) if None not in sizes else None}
        yield Finding(
            target=Target(Kind.TABLE, table.qualified_name),
            message=_message(table, unlogged, row_count),
            evidence={name: number for name, number in evidence.items() if number is not None},
            fix=_fix(schema, unlogged),
            location=Location(table_oid=table.oid),
            rolled_up=tuple(leaf.qualified_name for leaf in unlogged if leaf is not table),
        )


def _message(table: Table, unlogged: Sequence[Table], row_count: int | None) -> str:
    lost = f"its {format_count(row_count)} rows are" if row_count else "its rows are"
    if table.kind == "p":
        partitions = plural(len(unlogged), "partition")
        held = f"the {format_count(row_count)} rows" if row_count else "the rows"
        lost = f"{held} of {partitions} are"
    return (
        f"After a crash or a failover {lost} gone: no WAL tells of them, so no replica and no physical backup has them."
    )


def _fix(schema: Schema, unlogged: Sequence[Table]) -> Fix | None:
    """What the tables refer to is logged first; None where they refer to one another in a circle."""
    order: list[Table] = []
    if not all(_referred_first(schema, table, order, ()) for table in unlogged):
        return None
    return Statements(
        sql=tuple(f"ALTER TABLE {table.qualified_name} SET LOGGED;" for table in order),
        undo=tuple(f"ALTER TABLE {table.qualified_name} SET UNLOGGED;" for table in reversed(order)),
    ).fix(caution=rewrite_caution(schema, order))


def _referred_first(schema: Schema, table: Table, order: list[Table], above: tuple[Table, ...]) -> bool:
    """Add `table` to `order`, after the unlogged tables that it refers to; False when that leads round in a circle."""
    if table in order:
        return True
    if table in above:
        return False
    for constraint in schema.constraints_of(table.oid):
        referred = schema.tables.get(constraint.referenced_table_oid or 0)
        if referred is None or referred is table or referred.persistence != "u":
            continue
        if not _referred_first(schema, referred, order, (*above, table)):
            return False
    order.append(table)
    return True
