"""The second index that Django makes on a text, for LIKE, where nothing needs it.

A CharField, TextField or SlugField with `unique=True` or `db_index=True` gets two indexes from Django: the plain one,
and a twin with the operator class varchar_pattern_ops or text_pattern_ops, its name ending in `_like`. The twin is for
`startswith` alone, which a plain index cannot serve when texts are sorted by the rules of a language. It is as large as
the plain one and written as often.

It is needless in two cases. Where no server has used it for 35 days, while the plain one was used: nobody searches by
beginnings. And where the column is sorted by C or POSIX, be it the whole database: there the plain one serves
`startswith` as well, whether the twin is used or not.

How to fix: in the model, since Django makes the twin for the field and has no operation that drops it alone. For
`unique=True` write a UniqueConstraint in Meta.constraints instead, for `db_index=True` say `db_index=False` and write
an Index in Meta.indexes: neither of these makes a twin. A migration that only changes the model drops both and builds
the plain one anew; to keep it, let SeparateDatabaseAndState tell Django, and run the SQL given here.

Not reported: twins smaller than 1 MB; partial ones, those of several columns, of other operator classes, or beside a
plain one of another collation; what duplicate_index wants to go. Where the plain one is idle as well see unused_index.
Where the counters of a server are not known, or are younger than 35 days, only the collation is judged.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.index_fixes import drop_index
from dbops.snapshot.amounts import format_bytes, plural
from dbops.snapshot.index_uses import IndexUses
from dbops.snapshot.names import quote_ident
from dbops.snapshot.pattern_twins import pattern_twins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.activity_rows import IndexServer, IndexUse
    from dbops.snapshot.integrity_rows import Collation
    from dbops.snapshot.pattern_twins import PatternTwin
    from dbops.snapshot.rows import Server
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE


def check(
    schema: Schema,
    server: tuple[Server, ...],
    collations: tuple[Collation, ...] | None = None,
    index_uses: tuple[IndexUse, ...] | None = None,
    index_servers: tuple[IndexServer, ...] | None = None,
    *,
    unused_days: int = 35,  # a month has 31 days, and its report may be late
    smallest_bytes: int = 1024**2,  # below that it costs next to nothing
    large_bytes: int = 100 * 1024**2,  # from there on it is a warning
) -> Iterator[Finding | Unseen]:
    within = timedelta(days=unused_days)
    uses = IndexUses(schema, index_uses or (), index_servers or (), server[0].observed_at)
    unknown = 0
    for pair in pattern_twins(schema, collations):
        size_bytes = schema.size_bytes(pair.twin.oid)
        if size_bytes is None:
            yield Unseen(
                pair.twin.qualified_name, "its size was not read: another session has locked it, or it has just gone"
            )
        elif size_bytes < smallest_bytes:
            continue
        elif pair.is_needless:
            yield _finding(schema, pair, size_bytes, None, large_bytes)
        elif uses.is_idle(pair.twin, within):
            if uses.is_used(pair.plain, within):
                yield _finding(schema, pair, size_bytes, uses, large_bytes)
        elif not uses.is_used(pair.twin, within):
            unknown += 1
    if unknown:
        yield Unseen(
            quote_ident(server[0].database),
            f"whether {plural(unknown, 'index')} for LIKE may go cannot be told: it is not known of every server that "
            f"none used it for {unused_days} days",
        )


def _finding(schema: Schema, pair: PatternTwin, size_bytes: int, uses: IndexUses | None, large_bytes: int) -> Finding:
    twin, plain = pair.twin, pair.plain.qualified_name
    size = format_bytes(size_bytes)
    evidence: dict[str, int | float | str] = {"size_bytes": size_bytes, "kept": plain}
    if uses is None:
        message = f"{plain} is sorted by bytes, so it serves LIKE as well; this twin costs {size} and the same writes."
    else:
        days = uses.idle_days(twin)
        evidence |= {"unused_days": days, "servers": uses.servers}
        message = (
            f"No query has searched by a beginning with its {size} for {plural(days, 'day')}, on any server "
            f"({uses.servers}), while {plain} was used."
        )
    return Finding(
        target=Target(Kind.INDEX, twin.qualified_name),
        message=message,
        severity=Severity.WARNING if size_bytes >= large_bytes else Severity.INFO,
        confidence=Confidence.HIGH if uses is None else Confidence.MEDIUM,
        basis=Basis.STRUCTURAL if uses is None else Basis.MEASURED,
        evidence=evidence,
        fix=drop_index(schema, twin),
        location=Location(
            table_oid=twin.table_oid, columns=schema.column_names(twin.table_oid, twin.keys), index=twin.name
        ),
    )
