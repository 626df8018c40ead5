"""Rows that point to a row which is not there.

A foreign key that was declared with db_constraint=False, and a generic relation, are kept by nobody but Django, and
only by deletions that go through its models: SQL by hand, QuerySet._raw_delete, another program, a partial restore or
a deletion at the same moment leave rows behind that point nowhere. Such a row raises DoesNotExist where it is
followed, drops out of every inner join, so that sums differ with the way they are asked for, and stands in the way of
a constraint that is to be added later.

How to fix:

Look at the rows first; this lists those of a foreign key:

    SELECT t.* FROM task t WHERE t.user_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM auth_user u WHERE u.id = t.user_id);

Then bring back what they point to, set the column to NULL, or delete them: the same condition after UPDATE or DELETE.
That cannot be taken back, so no statement is offered. Where the two tables are in one database, leave out
db_constraint=False: then the server sees to it. It does as well for rows that are there already, once the constraint
was added NOT VALID and then validated. For a generic relation, declare a GenericRelation on the model that is pointed
to, and deleting through Django takes the rows along.

Where they are meant to stay, as in a log or a history, say so in the settings, under IGNORE, with the reason.

Not reported: relations that a constraint upholds, and generic ones to models that are gone or in another database. Of
a large table some thousand rows are looked at, chosen by chance: a few orphans among millions are not found. What
Django is told to leave alone (DO_NOTHING, or a generic relation without a GenericRelation) is only mentioned.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_count, listed, plural
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.relation_rows import OrphanSample
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE


def check(schema: Schema, orphan_samples: tuple[OrphanSample, ...]) -> Iterator[Finding | Unseen]:
    relations: dict[tuple[int, int, int | None], list[OrphanSample]] = defaultdict(list)
    for sample in orphan_samples:
        relations[sample.table_oid, sample.column, sample.content_type_column].append(sample)
    for (table_oid, _, _), samples in relations.items():
        table = schema.tables.get(table_oid)
        if table is None:
            continue
        columns = _columns(schema, samples[0])
        name = f"{table.qualified_name}({', '.join(map(quote_ident, columns))})"
        for reason in dict.fromkeys(sample.unseen for sample in samples if sample.unseen is not None):
            yield Unseen(name, reason)
        found = [sample for sample in samples if sample.orphan_rows]
        if found:
            yield _finding(schema, table, columns, name, found)


def _columns(schema: Schema, sample: OrphanSample) -> tuple[str, ...]:
    pair = (sample.content_type_column, sample.column)
    return schema.column_names(sample.table_oid, (number for number in pair if number is not None))


def _finding(
    schema: Schema, table: Table, columns: tuple[str, ...], name: str, samples: Sequence[OrphanSample]
) -> Finding:
    guarded = [sample for sample in samples if sample.is_guarded]
    orphans = sum(sample.orphan_rows or 0 for sample in samples)
    sampled = sum(sample.sampled_rows or 0 for sample in samples)
    is_whole = all(sample.is_whole for sample in samples)
    targets = [
        schema.tables[sample.target_oid].qualified_name for sample in samples if sample.target_oid in schema.tables
    ]
    point = "points" if orphans == 1 else "point"
    message = (
        f"{format_count(orphans)} of {plural(sampled, 'row')}{'' if is_whole else ' looked at'} {point} to rows of "
        f"{listed(sorted(set(targets)))} that are not there."
    )
    if not guarded:
        message += " Django is told to leave them alone."
    return Finding(
        target=Target(Kind.CONSTRAINT, name),
        message=message,
        severity=Severity.WARNING if guarded else Severity.INFO,
        basis=Basis.MEASURED,
        evidence={"orphan_rows": orphans, "sampled_rows": sampled, "is_sample": int(not is_whole)},
        location=Location(table_oid=table.oid, columns=columns),
    )
