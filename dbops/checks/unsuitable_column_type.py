"""A column of a type that PostgreSQL has a better one for.

json keeps the text as it came: it is parsed again at every access, has no equality (DISTINCT, GROUP BY and UNION fail
on it) and no index of its own. jsonb, which Django's JSONField uses, has all three.

timestamp without time zone names no moment. Under USE_TZ Django sends moments, the server drops their zone without a
word, and what comes back is naive: off by some hours as soon as one session's time zone is another's, and ambiguous
for an hour every autumn. Django's DateTimeField is timestamp with time zone, which takes the same 8 bytes.

A UUID kept as text takes 33 to 37 bytes instead of 16, in the table and in every index, and the same UUID in
capitals, or without hyphens, is another value. Only a column that says uuid or guid in its name, or is tied to such a
one by a foreign key, and is 32 or 36 characters long is taken for one.

money has the currency and the decimals of whatever lc_monetary says when it is read, and no field in Django.

char(n) pads its values with spaces up to n characters, and ignores them when it compares; Django gets the padding
back. It saves nothing against varchar(n). It is only mentioned: a code that always has n characters does well in it.

How to fix:

ALTER TABLE … ALTER COLUMN … TYPE rewrites the table with its indexes under an exclusive lock, so on a large table add
a second column, fill it in batches, and swap the two. What a conversion takes for granted is said with the fix: that
naive times are UTC (if they are local, name that zone instead), and that nothing in the JSON relies on the order of
its keys. Columns tied by foreign keys change together.

A view that shows the column, a trigger or a policy that names it, or a default that cannot be converted, makes ALTER
TYPE fail before anything happens; what the server knows to be in the way is said with the fix. A default that can be
converted may mean something else then: now() AT TIME ZONE 'utc' has to become now(). Where a check, an expression
index or the partition key names the column, no fix is proposed, because that has to be written anew for the other
type.

Not reported: varchar(n), whatever n; char(1); timestamps while USE_TZ is off or unknown (--dsn); generated columns;
what a partition or an inheritance child has from its parent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import ChangeTypes, ColumnType
from dbops.findings.finding import Confidence, Finding, Kind, Location, Severity, Tag, Target
from dbops.findings.type_changes import change_types
from dbops.findings.uuid_columns import text_to_uuid
from dbops.snapshot.column_uses import UNREAD, checks_over, expressions_over, special_indexes
from dbops.snapshot.key_columns import TableColumn, change_caution, linked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import DjangoSettings
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL

_CHAR: Final = "character"
_TEXTS: Final = frozenset({_CHAR, "character varying"})
#: uuid or guid as a word of its own: order_uuid, "Order GUID", orderUuid, but not languid.
_UUID_NAME: Final = re.compile(r"(?i:(?:\A|[^a-z])[ug]uid(?![a-z]))|[a-z](?:[UG]uid|[UG]UID)(?![a-z])")
_LENGTH: Final = re.compile(r"\((\d+)\)")
_HYPHENATED: Final = 36
#: Characters of a UUID as text: without hyphens, and with them.
_UUID_LENGTHS: Final = frozenset({32, _HYPHENATED})


@dataclass(frozen=True, slots=True)
class _Better:
    """A type that serves better than a column's: how to get there and back, and what that takes for granted."""

    message: str
    type: str
    using: str
    undo_using: str
    caution: str


def check(schema: Schema, django_settings: tuple[DjangoSettings, ...] | None = None) -> Iterator[Finding]:
    uses_time_zones = any(settings.use_tz for settings in django_settings or ())
    told: set[TableColumn] = set()
    for table in schema.roots():
        if table.kind == "m":
            continue
        for column in schema.columns_of(table.oid):
            one = TableColumn(table, column)
            if column.is_inherited or column.generated:
                continue
            if column.base_type in _TEXTS and _length(one):
                yield from _judge_text(schema, one, told)
                continue
            better = _better(one, uses_time_zones=uses_time_zones)
            if better is not None:
                yield _finding(schema, one, better.message, fix=_convert(schema, one, better))


def _better(one: TableColumn, *, uses_time_zones: bool) -> _Better | None:
    match one.column.base_type:
        case "json":
            return _Better(
                message="json is parsed again at every access and has no equality: DISTINCT and GROUP BY fail on it",
                type="jsonb",
                using=f"{one.quoted}::jsonb",
                undo_using=f"{one.quoted}::json",
                caution="loses the order of keys, repeated keys and white space",
            )
        case "money":
            return _Better(
                message="money has the currency and the decimals of the session's lc_monetary, "
                "and Django has no field for it",
                type="numeric",
                using=f"{one.quoted}::numeric",
                undo_using=f"{one.quoted}::money",
                caution="takes the decimals that lc_monetary has at that moment",
            )
        case "timestamp without time zone" if uses_time_zones:
            return _Better(
                message="Under USE_TZ Django sends moments here and the server drops their zone: "
                "what comes back is naive, and right only as long as every session has the same time zone",
                type=one.column.type.replace(" without ", " with "),
                using=f"{one.quoted} AT TIME ZONE 'UTC'",
                undo_using=f"{one.quoted} AT TIME ZONE 'UTC'",
                caution="takes the times for UTC: if they are local, name their zone instead",
            )
    return None


def _convert(schema: Schema, one: TableColumn, better: _Better) -> Fix | None:
    """Return the conversion; None where something that names the column would not survive it."""
    if not one.can_change_type or len(linked(schema, one)) > 1 or _is_in_the_way(schema, one):
        return None
    change = ColumnType(
        schema=one.table.schema,
        table=one.table.name,
        column=one.column.name,
        old_type=one.column.type,
        new_type=better.type,
        using=better.using,
        undo_using=better.undo_using,
    )
    return ChangeTypes(columns=(change,)).fix(caution=f"{better.caution}; {change_caution(schema, [one])}")


def _is_in_the_way(schema: Schema, one: TableColumn) -> bool:
    """Whether a check or an index says something of the column that is not true of the better type."""
    checks, expressions = list(checks_over(schema, one)), list(expressions_over(schema, one))
    if any(special_indexes(schema, one)):
        return True
    match one.column.base_type:
        case "json":  # the operators are the same, the functions are called jsonb_…
            return any("json_" in text or text == UNREAD for text in checks + expressions)
        case "timestamp without time zone":  # what is immutable without a zone is not with one
            return bool(expressions)
    return bool(checks or expressions)


def _judge_text(schema: Schema, one: TableColumn, told: set[TableColumn]) -> Iterator[Finding]:
    """Judge a text of limited length together with the columns that foreign keys tie to it, once for all of them."""
    if one in told:
        return
    together = linked(schema, one)
    told.update(together)
    if any(_is_uuid(column) for column in together):
        # They share their values, so that the shortest column says how all of them are written.
        length = min(length for column in together if (length := _length(column)))
        lead, *others = sorted(together, key=lambda column: (_refers(schema, column), column.name))
        yield _finding(
            schema,
            lead,
            f"By its name and its {length} characters it holds UUIDs: "
            f"as text they take {length + 1} bytes instead of 16, here and in every index",
            fix=text_to_uuid(schema, [lead, *others], hyphens=length == _HYPHENATED),
            confidence=Confidence.MEDIUM,
            rolled_up=tuple(column.name for column in others),
        )
        return
    padded = [column for column in together if column.column.base_type == _CHAR and _length(column) > 1]
    if padded:
        lead, *others = sorted(padded, key=lambda column: (_refers(schema, column), column.name))
        yield _finding(
            schema,
            lead,
            f"{lead.column.type} pads shorter values with spaces and ignores them when it compares",
            fix=change_types(schema, {column: f"character varying({_length(column)})" for column in (lead, *others)}),
            severity=Severity.INFO,
            rolled_up=tuple(column.name for column in others),
        )


def _is_uuid(one: TableColumn) -> bool:
    return _UUID_NAME.search(one.column.name) is not None and _length(one) in _UUID_LENGTHS


def _length(one: TableColumn) -> int:
    """Return n of char(n) and varchar(n); 0 without one, as for a domain."""
    match = _LENGTH.search(one.column.type)
    return int(match[1]) if match and not one.is_domain else 0


def _refers(schema: Schema, one: TableColumn) -> bool:
    """Whether the column refers to another one: what is referred to speaks for all."""
    return any(
        constraint.type == "f" and one.column.number in constraint.columns
        for constraint in schema.constraints_of(one.table.oid)
    )


def _finding(
    schema: Schema,
    one: TableColumn,
    message: str,
    *,
    fix: Fix | None,
    severity: Severity = Severity.WARNING,
    confidence: Confidence = Confidence.HIGH,
    rolled_up: Sequence[str] = (),
) -> Finding:
    evidence = {
        "type": one.column.type,
        "rows": schema.rows_of(one.table),
        "table_size_bytes": schema.size_bytes(one.table.oid),
    }
    return Finding(
        target=Target(Kind.COLUMN, one.name),
        message=f"{message}.",
        severity=severity,
        confidence=confidence,
        evidence={name: value for name, value in evidence.items() if value is not None},
        fix=fix,
        location=Location(table_oid=one.table.oid, columns=(one.column.name,)),
        rolled_up=tuple(rolled_up),
    )
